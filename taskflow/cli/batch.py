"""``taskflow batch``: triggers many runs from a file of JSON lines, and shows batches."""

import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from taskflow.cli.application import App, reach, reach_without_tasks
from taskflow.cli.output import AsJson, print_json, time_and_age
from taskflow.cli.printing import add_row, facts_table, progress, show, show_problems, show_table
from taskflow.definition.calls.batch_item import MOST_ITEMS
from taskflow.engine.caller import from_command_line
from taskflow.errors import PayloadError, SettingsError
from taskflow.models import Batch
from taskflow.verbs.batch import batch
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.tasks_by_id import tasks

app = typer.Typer(help="Trigger many runs at once, and look at batches.", no_args_is_help=True)


@app.command("trigger", epilog="Example: taskflow batch trigger hello-world payloads.jsonl --atomic")
def trigger(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="One payload a line, JSON. - is standard input.")],
    app: App = None,
    atomic: Annotated[bool, typer.Option("--atomic", help="Trigger nothing when a line is wrong.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same file with the same key triggers each run once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a run of each line of a file, and print the batches' ids. Exits 1 when a line is wrong.

    A batch has at most 10,000 runs. A longer file makes several batches; --atomic then holds for each of them.
    """
    reach(app)
    payloads = list(_lines(task_id, file))
    made: list[BatchHandle[object]] = []
    with progress("trigger", is_shown=not as_json) as advance:
        for start in range(0, len(payloads), MOST_ITEMS):
            key = idempotency_key and (f"{idempotency_key}-{start}" if start else idempotency_key)
            items = payloads[start : start + MOST_ITEMS]
            with from_command_line():
                made.append(tasks.batch_trigger(task_id, items, atomic=atomic, idempotency_key=key))
            advance(start + len(items), len(payloads))
    _print_made(made, as_json=as_json)
    if any(handle.errors for handle in made):
        raise typer.Exit(1)


@app.command("get", epilog="Example: taskflow batch get batch_00... --json")
def get(
    batch_id: Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")],
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Show one batch: its status, the progress of its runs, and the items that became no run."""
    reach_without_tasks(app)
    retrieved = batch.retrieve(batch_id)
    print_json(asdict(retrieved) | {"run_count": retrieved.run_count}) if as_json else _show(retrieved)


def _lines(task_id: str, file: str) -> Iterator[object]:
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise PayloadError(task_id, f"line {number} of {file} is not JSON ({error}).") from None


@contextmanager
def _opened(file: str) -> Generator[IO[str]]:
    if file == "-":
        yield sys.stdin
        return
    if not Path(file).is_file():
        raise SettingsError(f"There is no file {file!r}. Check its name; - is standard input.")
    with Path(file).open(encoding="utf-8") as lines:
        yield lines


def _print_made(made: list[BatchHandle[object]], *, as_json: bool) -> None:
    if as_json:
        print_json([_plain(handle) for handle in made])
        return
    for handle in made:
        show(handle.id)
        counts = f"{len(handle.run_ids):,} runs" + (f", {len(handle.errors):,} lines wrong" if handle.errors else "")
        show(counts, style="yellow" if handle.errors else "dim")
        show_problems(f"item {error.index}: {error.message}" for error in handle.errors)


def _plain(handle: BatchHandle[object]) -> dict[str, Any]:
    return {"id": handle.id, "run_ids": list(handle.run_ids), "errors": [asdict(error) for error in handle.errors]}


def _show(shown: Batch) -> None:
    facts = facts_table()
    add_row(facts, "batch", shown.id)
    add_row(facts, "status", shown.status.value)
    add_row(facts, "created", time_and_age(shown.created_at))
    done = shown.progress
    add_row(facts, "items", f"{shown.item_count:,}, {len(shown.errors):,} wrong")
    add_row(facts, "runs", f"{done.finished:,} of {done.total:,} ended: {done.completed:,} completed, "
                  f"{done.failed:,} failed, {done.canceled:,} canceled")  # fmt: skip
    show_table(facts)
    show_problems(f"item {error.index}: {error.message}" for error in shown.errors)
