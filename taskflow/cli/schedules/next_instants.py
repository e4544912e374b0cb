"""``taskflow schedules next``: the instants of a cron expression."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from taskflow.cli.printing import show, show_error
from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.walk import next_instant
from taskflow.definition.cron.zones import find_zone
from taskflow.errors import ScheduleError

_WRONG_USE = 2


class NextCommand(TyperCommand):
    """Reads ``-1 * * * *`` as a wrong expression, and ``--tz`` as a wrong option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(re.match(r"-\d", each) for each in args)
        return super().parse_args(ctx, args)


def next_(
    cron: Annotated[str, typer.Argument(metavar="CRON", help="The expression, quoted for the shell.")],
    timezone: Annotated[str, typer.Option(help="IANA time zone, for example Europe/Berlin.")] = "UTC",
    after: Annotated[str | None, typer.Option(help="Instant in ISO 8601, UTC without an offset. Default: now.")] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="The number of instants.")] = 10,
) -> None:
    """Print the next instants of a cron expression, in UTC, one a line. Needs no store. A wrong one: exit code 2."""
    try:
        expression, at = parse_cron(cron), _instant(after)
        find_zone(timezone)
    except ScheduleError as error:
        show_error(str(error))
        raise typer.Exit(_WRONG_USE) from None
    for _ in range(count):
        due = next_instant(expression, timezone, at)
        if due is None:
            break
        show(due.strftime("%Y-%m-%dT%H:%M:%SZ"))
        at = due


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        remedy = "Write it as in 2026-03-08T07:00:00Z."
        raise ScheduleError("That is not an instant", option="after", value=text, remedy=remedy) from None
