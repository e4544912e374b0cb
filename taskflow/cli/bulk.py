"""``taskflow runs cancel`` and ``taskflow runs replay``: the runs of given ids, or all that filters select."""

from typing import Annotated, Any

import typer

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.filters import takes_filters
from taskflow.cli.output import AsJson, print_json
from taskflow.cli.printing import progress, show, show_problems
from taskflow.cli.run_ids import Last, chosen_runs
from taskflow.definition.calls.bulk import BulkAction, BulkFailure, BulkKind
from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter
from taskflow.engine.caller import from_command_line
from taskflow.errors import RunFilterError, TaskflowError
from taskflow.seams.engine import Application

RunIds = Annotated[list[str] | None, typer.Argument(metavar="[RUN...]", help="The runs' ids, or their beginnings.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before acting on what the filters select.")]


@takes_filters
def cancel(
    run_ids: RunIds = None,
    last: Last = False,
    app: App = None,
    *,
    where: RunFilter,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel runs. A run that waits is canceled at once, one that executes as soon as its node has stopped it."""
    flow = reach_without_tasks(app)
    run_ids = chosen_runs(flow, run_ids or (), last=last)
    ids = _selected(flow, "cancel", run_ids, where, is_sure=yes, as_json=as_json)
    action = _act(flow, "cancel", ids, as_json=as_json)
    failures = {failure.run_id: failure.reason for failure in action.failures}
    if as_json and run_ids:
        print_json([{"id": run_id, "canceled": run_id not in failures} for run_id in ids])
    elif as_json:
        print_json(_summary(action))
    elif run_ids:
        for run_id in ids:
            show(f"{run_id} {failures.get(run_id, 'canceled')}")
    else:
        _print_summary(action, "canceled")


@takes_filters
def replay(
    run_ids: RunIds = None,
    last: Last = False,
    app: App = None,
    *,
    where: RunFilter,
    keep_journal: Annotated[
        bool, typer.Option("--keep-journal", help="Of durable runs: take over the steps and waits that are done.")
    ] = False,
    from_step: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Do this step and all later ones again, no other.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make new runs like old ones: same payload, tags, metadata, queue and machine. Prints the new runs' ids."""
    flow = reach_without_tasks(app)
    run_ids = chosen_runs(flow, run_ids or (), last=last)
    ids = _selected(flow, "replay", run_ids, where, is_sure=yes, as_json=as_json)
    with from_command_line():
        if keep_journal or from_step is not None:
            action = _replay_journals(flow, ids, from_step, as_json=as_json)
        else:
            action = _act(flow, "replay", ids, as_json=as_json)
    if as_json:
        print_json(_summary(action) | {"run_ids": list(action.run_ids)})
        return
    for run_id in action.run_ids:
        show(run_id)
    if action.failures or not run_ids:
        _print_summary(action, "replayed")
    if action.failures:
        raise typer.Exit(1)


def _selected(
    flow: Application, kind: BulkKind, run_ids: list[str] | None, where: RunFilter, *, is_sure: bool, as_json: bool
) -> list[str]:
    if bool(run_ids) == (where != ALL_RUNS):
        remedy = f"Give runs' ids, or filters: taskflow runs {kind} --task hello-world --since 1h"
        raise RunFilterError("where", where if run_ids else None, remedy)
    if run_ids:
        return list(dict.fromkeys(run_ids))
    ids = [run.id for run in flow.engine.runs.find(where) if kind == "replay" or not run.is_finished]
    if ids and not is_sure:
        if as_json:
            raise RunFilterError("where", f"{len(ids):,} runs", "Add --yes: --json does not ask.")
        typer.confirm(f"{kind.capitalize()} {len(ids):,} runs?", abort=True, err=True)
    return ids


def _act(flow: Application, kind: BulkKind, ids: list[str], *, as_json: bool) -> BulkAction:
    with progress(kind, is_shown=not as_json and len(ids) > 1) as advance:
        return flow.engine.runs.bulk(kind, ids, lambda it: advance(it.success + it.failure, it.total))


def _replay_journals(flow: Application, ids: list[str], from_step: str | None, *, as_json: bool) -> BulkAction:
    action = BulkAction("replay", len(ids))
    with progress("replay", is_shown=not as_json and len(ids) > 1) as advance:
        for run_id in ids:
            try:
                action.add(1, [], [flow.engine.journals.replay(run_id, from_step)])
            except TaskflowError as error:
                action.add(0, [BulkFailure(run_id, str(error))])
            advance(action.success + action.failure, action.total)
    return action


def _summary(action: BulkAction) -> dict[str, Any]:
    return {
        "id": action.id,
        "status": action.status,
        "total": action.total,
        "success": action.success,
        "failure": action.failure,
        "failures": [{"id": failure.run_id, "reason": failure.reason} for failure in action.failures],
    }


def _print_summary(action: BulkAction, done: str) -> None:
    show(f"{action.success:,} of {action.total:,} runs {done}")
    show_problems(f"{failure.run_id}: {failure.reason}" for failure in action.failures)
