"""Rows of the table of runs: the records behind a page of the list, and what is shown of each."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from markupsafe import Markup

from taskflow.engine.engine import Engine
from taskflow.models import Reason, Run, RunStatus
from taskflow.server.dashboard.hidden_runs import shown_runs
from taskflow.server.dashboard.token_names import names_of
from taskflow.server.dashboard.view.durations import DASH, duration
from taskflow.server.dashboard.view.instants import running_time
from taskflow.server.dashboard.view.now import Now, now_short

_EXPLAINED: Final = (RunStatus.QUEUED, RunStatus.WAITING, RunStatus.PENDING_VERSION)
"""Statuses whose reason is looked up, for all rows at once."""
Reasons: TypeAlias = Mapping[str, tuple[Run, Reason | None]]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, with what its row shows beside the record. Nothing depends on who reads it."""

    run: Run
    now: Now
    attempt: str
    took: Markup | str

    @classmethod
    def of(cls, run: Run, *, is_record: bool = True, token: str = "") -> "RunRow":
        """Return the row of a run.

        Args:
            is_record: It is as the store has it; the history's lists lack long outputs.
            token: The name of the token that it waits for.
        """
        tries = sum(1 for attempt in run.attempts if attempt.outcome != "LOST" and attempt.outcome != "INTERRUPTED")
        attempt = f"{max(1, tries)}/{run.max_attempts}" if run.started_at else DASH
        is_unknown = run.status is RunStatus.COMPLETED and run.output is None and not is_record
        return cls(run, Now(DASH) if is_unknown else now_short(run, token), attempt, _took(run))


async def run_rows(engine: Engine, runs: Sequence[Run]) -> list[RunRow]:
    """Return the rows of runs of a list, with the records that the store has, and the reasons of those that wait."""
    live = [run.id for run in runs if not run.is_finished]  # by a list that may be older than the records
    records, reasons = await asyncio.gather(
        engine.feed().records.read_many([run.id for run in runs]), engine.reasons.areasons(live)
    )
    known = {run.id: run for run in records}
    return await _rows(engine, [known.get(run.id, run) for run in runs], reasons, known.keys())


async def record_rows(engine: Engine, records: Sequence[Run]) -> list[RunRow]:
    """Return the rows of records that the store has just told."""
    reasons = await engine.reasons.areasons([run.id for run in records if run.status in _EXPLAINED])
    return await _rows(engine, records, reasons, {run.id for run in records})


async def _rows(engine: Engine, runs: Sequence[Run], reasons: Reasons, records: Set[str]) -> list[RunRow]:
    shown = await shown_runs(engine, list(runs))
    explained = [_explained(run, reasons) for run in shown]
    names = await names_of(engine, [token for run in explained if (token := _token(run))])
    return [RunRow.of(run, is_record=run.id in records, token=names.get(_token(run), "")) for run in explained]


def _token(run: Run) -> str:
    """Return the id of the token that a run waits for, "" for none."""
    return run.waits[0].name if run.waits and run.waits[0].kind == "token" else ""


def _explained(run: Run, reasons: Reasons) -> Run:
    if run.id not in reasons or run.status not in _EXPLAINED:
        return run
    explained, reason = reasons[run.id]
    return replace(run, reason=reason, waits=explained.waits)


def _took(run: Run) -> Markup | str:
    start, end = run.started_at, run.finished_at
    if start is None:
        return DASH
    return duration(end - start) if end is not None else running_time(start)
