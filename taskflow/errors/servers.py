"""Errors of servers: the store, the broker, the history or the object store did not answer, or refused."""

from taskflow.errors.base import TaskflowError


class StoreUnavailableError(TaskflowError, ConnectionError):
    """Redis or Valkey did not answer in time.

    Attributes:
        run_id: The run that was being triggered, None for other operations.
        may_exist: Whether the request may have been executed although no reply came. Triggering again with
            the same idempotency key is always safe.
    """

    def __init__(self, reason: str, *, run_id: str | None = None, may_exist: bool = False) -> None:
        self.reason, self.run_id, self.may_exist = reason, run_id, may_exist
        fate = ""
        if run_id is not None:
            fate = f" Run {run_id} " + (
                "may exist: look it up before triggering again." if may_exist else "was not made."
            )
        why = reason.rstrip(".")
        super().__init__(
            f"The run store does not answer: {why}.{fate} Check TASKFLOW_REDIS_URL with `taskflow doctor`."
        )


class StoreFullError(StoreUnavailableError):
    """The store's memory is full, so that it takes no new data. Runs that execute go on and end."""

    def __init__(self, *, run_id: str | None = None, may_exist: bool = False) -> None:
        super().__init__(
            "its memory is full (`maxmemory`), and it takes no new data", run_id=run_id, may_exist=may_exist
        )
        fate = "" if run_id is None else f" Run {run_id} {'may exist' if may_exist else 'was not made'}."
        self.args = (
            f"The run store is full: it has reached its `maxmemory` and takes no new data.{fate} Runs that exist go on "
            "and end. Raise `maxmemory` (`redis-cli CONFIG SET maxmemory 2gb`, or a larger server), or have finished "
            "runs leave the store earlier with TASKFLOW_RETENTION.",
        )


class ReplicasMissingError(StoreUnavailableError):
    """Too few replicas of the store confirmed a trigger. What was triggered exists, and workers take it.

    Attributes:
        confirmed: Number of replicas that confirmed it.
        wanted: Number that ``TASKFLOW_STORE_REPLICAS`` asks for.
        seconds: How long the caller waited for them.
    """

    def __init__(self, confirmed: int, wanted: int, seconds: float, run_id: str | None = None) -> None:
        self.confirmed, self.wanted, self.seconds = confirmed, wanted, seconds
        had = f"{confirmed} of the {wanted} replicas that TASKFLOW_STORE_REPLICAS asks for had it after {seconds:g} s"
        super().__init__(had, run_id=run_id, may_exist=True)
        what = "What was triggered" if run_id is None else f"Run {run_id}"
        self.args = (
            f"{what} exists and will execute, but {had}: should the store fail now, it may be lost. Look at "
            "`INFO replication` of the store. Trigger it again with its idempotency key only: without one that makes a "
            "second run.",
        )


class BatchTriggerError(StoreUnavailableError):
    """The store, or the object store for large payloads, did not answer in the middle of a batch.

    Attributes:
        batch_id: The batch, PENDING in the store unless nothing of it was written.
        made: Number of its items that are runs for certain.
        total: Number of its items.
        is_repeatable: Whether the batch has an idempotency key: triggering it again makes what is missing.
    """

    def __init__(
        self, reason: str, batch_id: str, made: int, total: int, *, is_repeatable: bool, what: str = ""
    ) -> None:
        self.batch_id, self.made, self.total, self.is_repeatable, self.what = batch_id, made, total, is_repeatable, what
        super().__init__(reason, may_exist=True)
        remedy = (
            "Trigger it again with the same idempotency key: what exists is not made twice."
            if is_repeatable
            else f"See batch.retrieve({batch_id!r}) before triggering the rest; with an idempotency key the whole "
            "batch could be triggered again."
        )
        progress = f"{made:,} of {total:,} items of batch {batch_id} are runs for certain"
        self.args = (f"{what or self.args[0]} {progress}. {remedy}",)


class StoreScriptError(TaskflowError):
    """One of taskflow's scripts failed on the server. It is not tried again, because it would fail in the same way.

    Attributes:
        script: The operation.
        reason: The server's message.
        run_id: The run that was being triggered, None for other operations. It may exist in part.
    """

    def __init__(self, script: str, reason: str, run_id: str | None = None) -> None:
        self.script, self.reason, self.run_id = script, reason, run_id
        of = "" if run_id is None else f" for run {run_id}"
        super().__init__(
            f"The script {script!r} failed on the store{of}: {reason.rstrip('.')}. Either another program has changed "
            "taskflow's keys, or this is a defect of taskflow: please report it with this message and the server's "
            "version, which `taskflow doctor` prints."
        )


class HistoryUnavailableError(TaskflowError, ConnectionError):
    """The history's database did not answer, or answered with an error. Runs are not affected."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The history's database does not answer: {reason}. Runs go on without it and what happens is kept for it "
            "in the store. Check TASKFLOW_DATABASE_URL with `taskflow doctor`."
        )


class ObjectStoreError(TaskflowError, ConnectionError):
    """A payload or output that is too large for the run store could not be written or read."""

    def __init__(self, verb: str, name: str, reason: str, scheme: str) -> None:
        self.verb, self.name, self.reason, self.scheme = verb, name, reason, scheme
        super().__init__(
            f"The object store ({scheme}) did not {verb} {name or 'its folder'}: {reason.rstrip('.')}. Large payloads "
            "and outputs are there: check TASKFLOW_OBJECT_STORE with `taskflow doctor`; every host must reach the same."
        )


class BrokerUnavailableError(TaskflowError, ConnectionError):
    """The broker did not confirm a ticket. The run exists; upkeep publishes its ticket again."""


class EmbeddedStoreError(TaskflowError):
    """The bundled Valkey could not be started."""
