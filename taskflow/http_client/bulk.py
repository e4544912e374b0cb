"""Bulk actions over HTTP: the client counts and may abort, the server does a part at a time."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from taskflow.definition.calls.bulk import BulkAction, BulkFailure, BulkKind, OnProgress
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, Steps, post
from taskflow.models import Run

RUNS_A_PART: Final = 100
_Part = tuple[int, list[BulkFailure], list[str]]


def bulk_steps(
    kind: BulkKind,
    selected: Sequence[str] | RunFilter,
    on_progress: OnProgress | None,
    find: Callable[[RunFilter], ApiRequest[Sequence[Run]]],
) -> Steps[BulkAction]:
    """Cancel or replay runs, part by part."""
    found: Sequence[str]
    if isinstance(selected, RunFilter):
        runs: Sequence[Run] = yield find(selected)
        found = [run.id for run in runs]
    else:
        found = selected
    ids = list(dict.fromkeys(found))
    action = BulkAction(kind, len(ids))
    for start in range(0, len(ids), RUNS_A_PART):
        if action.is_aborted:
            break
        done: _Part = yield _part(kind, ids[start : start + RUNS_A_PART])
        action.add(*done)
        if on_progress:
            on_progress(action)
    return action


def _part(kind: BulkKind, ids: Sequence[str]) -> ApiRequest[_Part]:
    def read(document: Any) -> _Part:
        failures = [BulkFailure(each["run_id"], each["reason"]) for each in document["failures"]]
        return int(document["success"]), failures, list(document["run_ids"])

    return post(f"{PREFIX}/bulk", read, {"kind": kind, "ids": ids})
