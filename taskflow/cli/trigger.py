"""``taskflow trigger``: makes a run of a task, by the task's id."""

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, cast

import typer

from taskflow.cli.application import App, reach
from taskflow.cli.awaiting import awaited_output
from taskflow.cli.output import AsJson, print_json, status_text
from taskflow.cli.printing import show
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.documents.readable import read_json
from taskflow.engine.caller import from_command_line
from taskflow.errors import PayloadError, ResultTimeoutError, RunFailedError, TriggerOptionError
from taskflow.seams.engine import Application


def trigger(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id.")],
    payload: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="The payload, or - to read it from standard input.")
    ] = None,
    app: App = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result and print it.")] = False,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most.")] = None,
    queue: Annotated[str | None, typer.Option(help="Queue instead of the task's own.")] = None,
    machine: Annotated[str | None, typer.Option(help="Machine instead of the task's own.")] = None,
    delay: Annotated[str | None, typer.Option(help="Start later: 30s, 5m, 1h30m.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may repeat.")] = None,
    concurrency_key: Annotated[str | None, typer.Option(help="Runs of one key share a limit of their own.")] = None,
    ttl: Annotated[str | None, typer.Option(help="Expire when not started within: 30s, 5m, 1h30m. 0: never.")] = None,
    priority: Annotated[float | None, typer.Option(help="Seconds by which it counts as older in its queue.")] = None,
    metadata: Annotated[str | None, typer.Option(help="A JSON object that the run carries.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Two triggers with one key make one run.")] = None,
    idempotency_key_ttl: Annotated[
        str | None, typer.Option(help="After which the key is free once its run has ended.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, help="Attempts in all.")] = None,
    max_duration: Annotated[str | None, typer.Option(help="Compute time of an attempt: 30s, 5m. 0: no bound.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Mark the run as a test.")] = False,
    as_json: AsJson = False,
) -> None:
    """Trigger a run and print its id."""
    flow = reach(app)
    options = TriggerOptions.checked(
        queue=queue,
        concurrency_key=concurrency_key,
        machine=machine,
        delay=delay,
        ttl=_duration(ttl),
        priority=priority,
        metadata=_metadata(metadata),
        tags=tag or [],
        idempotency_key=idempotency_key,
        idempotency_key_ttl=idempotency_key_ttl,
        max_attempts=max_attempts,
        max_duration=_duration(max_duration),
        test=test,
    )
    with from_command_line():
        run_id, is_cached = flow.engine.runs.trigger(task_id, _parsed(task_id, payload), options)
    if not wait:
        print_json({"id": run_id, "is_cached": is_cached}) if as_json else show(run_id)
        return
    _show_result(flow, run_id, timeout, as_json=as_json)


def _parsed(task_id: str, payload: str | None) -> object:
    if payload is None:
        return None
    text = sys.stdin.read() if payload == "-" else payload
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PayloadError(
            task_id, f'it is not JSON ({error}). Quote it for the shell: \'{{"message": "hi"}}\' or \'"text"\'.'
        ) from None


def _duration(text: str | None) -> str | int | None:
    return 0 if text == "0" else text


def _metadata(text: str | None) -> Mapping[str, object] | None:
    if text is None:
        return None
    try:
        return cast("Mapping[str, object]", json.loads(text))  # TriggerOptions refuses anything except an object
    except (ValueError, RecursionError) as error:
        raise TriggerOptionError("metadata", "...", f'It is not JSON ({error}): use \'{{"key": "value"}}\'.') from None


def _show_result(flow: Application, run_id: str, timeout: float | None, *, as_json: bool) -> None:
    if not as_json:
        show(f"run {run_id}", style="dim")
    try:
        output = awaited_output(flow, run_id, None if timeout is None else timedelta(seconds=timeout))
    except RunFailedError as failed:
        if as_json:
            print_json(
                {"id": run_id, "status": failed.status, "error": {"type": failed.type, "message": failed.message}}
            )
        else:
            show(str(failed), style="red")
        raise typer.Exit(1) from None
    except ResultTimeoutError as late:
        show(str(late), style="yellow")
        raise typer.Exit(2) from None
    value = read_json(output)
    if as_json:
        print_json({"id": run_id, "status": "COMPLETED", "output": value})
    else:
        show(status_text(flow.engine.runs.status(run_id)), json.dumps(value, ensure_ascii=False))
