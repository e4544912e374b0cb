"""The claim of a run as a node receives it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from taskflow.models import RunError, RunStatus
from taskflow.store.operations.encoding import duration, instant, run_error, text


@dataclass(slots=True)
class ClaimedRun:
    """A claimed run with all that a node needs to execute it. ``claim`` fences every write and grows at each resume."""

    run_id: str
    claim: int
    attempt_number: int
    failed_attempts: int
    max_attempts: int
    created_at: datetime
    started_at: datetime
    payload: bytes
    tags: tuple[str, ...]
    idempotency_key: str | None
    queue: str
    machine: str
    concurrency_key: str | None = None
    is_test: bool = False
    replay_of: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    priority: float = 0.0
    max_duration: timedelta | None = None
    metadata: bytes = b""
    place: str = ""
    """Its place in the order of its queue. Runs that it waits for take it over."""
    is_resumed: bool = False
    """Whether it goes on after a wait, so that the attempt is not a new one."""
    computed: timedelta = timedelta(0)
    """The time that the attempt has computed before, without waits."""
    trace: Mapping[str, str] = field(default_factory=dict[str, str])
    """The trace headers of the code that triggered it."""
    ended: RunStatus | None = None
    """The final status when only the final hooks are left to run. ``error`` and ``output`` are set with it."""
    error: RunError | None = None
    output: bytes | None = None

    @property
    def time_left(self) -> timedelta | None:
        """The time that the attempt may compute from now on, None without a limit."""
        return None if self.max_duration is None else self.max_duration - self.computed


def claimed_run(run_id: str, fields: Sequence[bytes | None], *, is_ended: bool = False) -> ClaimedRun:
    """Return a claim from the reply of ``claim_run.lua``."""
    claim, attempt, failed, max_attempts, created, payload, tags, key, queue, started, class_name, *further = fields
    ckey, test, replay_of, parent, root, batch, priority, max_duration, status, failure, output, metadata, *rest = (
        further
    )
    place, resumed, computed, trace = rest
    return ClaimedRun(
        run_id=run_id,
        claim=int(claim or 0),
        attempt_number=int(attempt or 0),
        failed_attempts=int(failed or 0),
        max_attempts=int(max_attempts or 1),
        created_at=instant(created or 0),
        started_at=instant(started or 0),
        payload=payload or b"null",
        tags=tuple(json.loads(tags)) if tags else (),
        idempotency_key=key.decode() if key else None,
        queue=(queue or b"").decode(),
        machine=(class_name or b"").decode().rpartition(".")[0],
        concurrency_key=text(ckey),
        is_test=test is not None,
        replay_of=text(replay_of),
        parent_id=text(parent),
        root_id=text(root),
        batch_id=text(batch),
        priority=int(priority or 0) / 1_000_000,
        max_duration=duration(max_duration),
        metadata=metadata or b"",
        place=(place or b"").decode(),
        is_resumed=resumed is not None,
        computed=timedelta(milliseconds=int(computed or 0)),
        trace=json.loads(trace) if trace else {},
        ended=RunStatus((status or b"").decode()) if is_ended else None,
        error=run_error(failure) if is_ended else None,
        output=output if is_ended else None,
    )
