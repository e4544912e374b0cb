"""The page of one run: its facts, why it does not go on, attempts, steps, waits, children, and how it has ended."""

import json
from collections.abc import Iterator, Mapping

from rich.text import Text

from taskflow.cli.output import span, status_text, time_and_age
from taskflow.cli.printing import add_row, facts_table, lines_of, show, show_table
from taskflow.models import Attempt, Run, RunError, RunStatus, RunStep, RunWait


def show_run(run: Run, children: Mapping[str, RunStatus]) -> None:
    """Print a run's page.

    Args:
        children: The runs that it has triggered, as far as they are known.
    """
    facts = facts_table()
    for name, value in _facts(run):
        add_row(facts, name, value)
    show_table(facts)
    _print_section("attempts", [_attempt_line(attempt, run.max_attempts) for attempt in run.attempts])
    _print_section("steps", map(_step_line, run.steps))
    _print_section("waits for", map(_wait_line, run.waits))
    _print_section("children", [f"{child} {status}" for child, status in children.items()])
    _print_section("errors in hooks", map(_error_line, run.hook_errors))
    if run.error:
        show(f"\n{run.error.type}: {run.error.message}\n{run.error.traceback}", style="red")
    elif run.is_finished:
        show(f"\n{_json(run.output)}")


def _facts(run: Run) -> Iterator[tuple[str, str | Text]]:
    yield "run", run.id
    yield "task", run.task_id
    yield "status", status_text(run.status)
    if run.reason:
        yield "why", run.reason.text
    yield "queue", run.queue
    yield "machine", f"{run.machine} ({run.executor})"
    yield "created", time_and_age(run.created_at)
    for name, moment in (("due", run.due_at), ("started", run.started_at), ("finished", run.finished_at)):
        if moment:
            yield name, time_and_age(moment)
    texts = {
        "version": run.version,
        "tags": ", ".join(run.tags),
        "idempotency key": run.idempotency_key,
        "concurrency key": run.concurrency_key,
        "priority": f"{run.priority:g} s" if run.priority else None,
        "ttl": span(run.ttl) if run.ttl else None,
        "max duration": span(run.max_duration) if run.max_duration else None,
        "parent": run.parent_id,
        "root": run.root_id,
        "batch": run.batch_id,
        "schedule": run.schedule_id,
        "replay of": run.replay_of,
        "test": "yes" if run.is_test else None,
    }
    for name, text in texts.items():
        if text:
            yield name, text
    yield "payload", lines_of(_json(run.payload))
    if run.metadata:
        yield "metadata", lines_of(_json(run.metadata))


def _print_section(title: str, lines: Iterator[str] | list[str]) -> None:
    shown = list(lines)
    if shown:
        show(f"\n{title}", style="bold")
    for line in shown:
        show(f"  {line}")


def _attempt_line(attempt: Attempt, most: int) -> str:
    took = span(attempt.finished_at - attempt.started_at) if attempt.finished_at else "so far"
    why = f": {_error_line(attempt.error)}" if attempt.error else ""
    node = attempt.node or "no node (it waits without a process)"
    return f"attempt {attempt.number} of {most} on {node}, {took}, {attempt.outcome or 'EXECUTING'}{why}"


def _step_line(step: RunStep) -> str:
    kind = "" if step.kind == "step" else f" ({step.kind})"
    took = f", {span(step.took)}" if step.took is not None else ""
    began = f" at {step.started_at:%H:%M:%S}" if step.started_at else ""
    return f"{step.key} {step.name}{kind}: {step.state}{began}{took}"


def _wait_line(wait: RunWait) -> str:
    done = f", {wait.done} of {wait.items} done" if wait.items > 1 else ""
    since = f", since {time_and_age(wait.since)}" if wait.since else ""
    until = f", until {wait.until:%Y-%m-%d %H:%M:%S} UTC" if wait.until else ""
    runs = f": {', '.join(wait.run_ids)}" if wait.run_ids else ""
    return f"{wait.kind} {wait.name}{done}{since}{until}{runs}"


def _error_line(error: RunError) -> str:
    return f"{error.type}: {error.message}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
