"""A context to call a task's function with. No server is used."""

from collections.abc import Sequence
from datetime import UTC, datetime

from taskflow.definition.context import (
    AttemptInfo,
    Context,
    EnvironmentInfo,
    MachineInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from taskflow.definition.local import fresh_locals
from taskflow.definition.machine import DEFAULT_MACHINE, resolve_machine
from taskflow.definition.signal import Signal

__all__ = ["context", "local_values"]

local_values = fresh_locals
"""Inside ``with local_values():`` a ``Local`` can be set and read, as in an attempt."""


def context(
    *,
    run_id: str = "run_test",
    task_id: str = "test",
    tags: Sequence[str] = (),
    attempt: int = 1,
    max_attempts: int = 3,
    idempotency_key: str | None = None,
    queue: str | None = None,
    machine: str = DEFAULT_MACHINE,
    environment: str = "test",
    now: datetime | None = None,
    init: object = None,
    signal: Signal | None = None,
    reason: str | None = None,
) -> Context:
    """Make a context for calling a task in place: ``render_invoice(payload, ctx=context(attempt=2))``.

    Args:
        attempt: Number of the attempt, from 1; it is the last one from ``max_attempts`` on.
        queue: Default: the task's own, ``task/<task id>``.
        now: When run and attempt started, aware. Default: now.
        init: The value that the ``init`` hooks would return.
        signal: The task's stop signal; set it to stop the task. Default: one that is not set.
        reason: How the run ended, for hooks that run then.

    Raises:
        DefinitionError: No such machine preset.
    """
    started = now or datetime.now(UTC)
    spec = resolve_machine(machine)
    return Context(
        run=RunInfo(
            id=run_id,
            tags=tuple(tags),
            created_at=started,
            started_at=started,
            max_attempts=max_attempts,
            idempotency_key=idempotency_key,
            is_test=True,
        ),
        attempt=AttemptInfo(number=attempt, started_at=started, is_last=attempt >= max_attempts),
        task=TaskInfo(id=task_id),
        queue=QueueInfo(name=queue or f"task/{task_id}"),
        machine=MachineInfo(name=spec.name, cpu=spec.cpu, memory=spec.memory_gb),
        environment=EnvironmentInfo(name=environment),
        init=init,
        signal=signal or Signal(),
        reason=reason,
    )
