"""``manage.py taskflow_adopt_beat``: makes schedules of the rows of django-celery-beat."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from taskflow import TaskflowError, idempotency_keys, schedules, tasks
from taskflow.contrib.django.beat_rows import AdoptedRow, LeftRowError, RefusedRowError, adopt_row

_PAGE: Final = 1000
_DONE: Final = "is a schedule already"


class Command(BaseCommand):
    """Prints a line for each row, refused ones with the reason. A row that is a schedule already is left alone."""

    help = (
        "Make schedules of the periodic tasks of django-celery-beat. Stop celery beat before, so that no tick is fired "
        "twice. Exit code 1: a row was refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--dry-run", action="store_true", help="Only show what would be made or refused.")
        parser.add_argument(
            "--disable-rows", action="store_true", help="Disable each row that was made a schedule or a run."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take over each row."""
        if not apps.is_installed("django_celery_beat"):
            raise CommandError("django_celery_beat is not among INSTALLED_APPS. Add it until its rows are taken over.")
        if options["dry_run"] and options["disable_rows"]:
            raise CommandError("--dry-run changes nothing, so that --disable-rows can't go with it.")
        model: Any = apps.get_model("django_celery_beat", "PeriodicTask")
        rows: list[Any] = [*model.objects.select_related("interval", "crontab", "clocked").order_by("name")]
        try:
            known = {} if options["dry_run"] else _known_schedules()
            lines = [self._take_over(row, known, options) for row in rows]
        except TaskflowError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(lines, indent=2))
        else:
            self._print(lines)
        if any(line["refused"] for line in lines):
            raise SystemExit(1)

    def _take_over(self, row: Any, known: dict[str, str], options: dict[str, Any]) -> dict[str, Any]:
        line: dict[str, Any] = {"name": row.name, "task": row.task, "rule": "-", "made": "", "refused": "", "notes": []}
        try:
            adopted = adopt_row(row, datetime.now(UTC))
        except (RefusedRowError, LeftRowError) as reason:
            if already := known.get(f"beat:{row.name}"):
                return line | {"made": f"{already} {_DONE}"}
            is_left = isinstance(reason, LeftRowError)
            return line | ({"made": f"left alone: {reason}"} if is_left else {"refused": str(reason)})
        line |= {"rule": adopted.rule, "notes": list(adopted.notes)}
        if options["dry_run"]:
            return line | {"made": "(dry run)"}
        if already := known.get(adopted.key):
            line["made"] = f"{already} {_DONE}"
        else:
            line["made"] = _make(adopted)
        if options["disable_rows"] and row.enabled:
            row.enabled = False
            row.save()  # beat sees the change by its signal
        return line

    def _print(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            outcome = self.style.ERROR(f"refused: {line['refused']}") if line["refused"] else line["made"]
            self.stdout.write(f"{line['name']} ({line['task']}, {line['rule']}): {outcome}")
            for note in line["notes"]:
                self.stdout.write(self.style.WARNING(f"  {note}"))
        refused = sum(1 for line in lines if line["refused"])
        self.stdout.write(f"{len(lines)} rows, {refused} refused.")


def _known_schedules() -> dict[str, str]:
    """Return the ids of schedules by deduplication key."""
    found: dict[str, str] = {}
    page, pages = 1, 1
    while page <= pages:
        listed = schedules.list(page=page, per_page=_PAGE)
        found |= {each.deduplication_key: each.id for each in listed if each.deduplication_key}
        page, pages = page + 1, listed.pages
    return found


def _make(adopted: AdoptedRow) -> str:
    if adopted.options is not None:
        return schedules.create(adopted.task_id, **adopted.options).id
    key = idempotency_keys.create(adopted.key, scope="global")
    trigger: Any = tasks.trigger
    return str(
        trigger(adopted.task_id, adopted.payload, delay=adopted.due, idempotency_key=key, idempotency_key_ttl="30d").id
    )
