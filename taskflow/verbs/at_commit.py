"""Triggers inside a database transaction: the run's id is known at once, and the run is made at the commit."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from taskflow.definition.calls.batch_item import BatchOptions
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import TriggerOptionError
from taskflow.seams.transactions import TRANSACTIONS, Transaction
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.current import engine
from taskflow.verbs.run_handle import RunHandle

_NO_DATABASE: Final = (
    "This program has no database whose transactions taskflow follows. Add taskflow.contrib.django to INSTALLED_APPS, "
    "or follow SQLAlchemy's sessions (taskflow.contrib.sqlalchemy.follow), or leave the option out."
)


def open_transaction(on_commit: object) -> Transaction | None:
    """Return the transaction at whose commit a trigger makes its run, None to make it at once.

    Args:
        on_commit: The option of the trigger. True and the name of a database: at the commit, although triggers do not
            wait by default.

    Raises:
        TriggerOptionError: The option is not possible here.
    """
    source = TRANSACTIONS.source
    if on_commit is None:
        return None if source is None else source.open(None)
    if on_commit is False:
        return None
    if on_commit is not True and not isinstance(on_commit, str):
        raise TriggerOptionError("on_commit", on_commit, "Use True, False or the name of a database.")
    if source is None:
        raise TriggerOptionError("on_commit", on_commit, _NO_DATABASE)
    return source.open(on_commit) if isinstance(on_commit, str) else source.open_anywhere()


def trigger(
    task: TaskDefinition | str,
    payload: object,
    options: TriggerOptions,
    on_commit: object,
    output: OutputType | None = None,
) -> RunHandle[Any]:
    """Make a run, or plan it for the commit of the open transaction."""
    transaction = open_transaction(on_commit)
    if transaction is None:
        run_id, is_cached = engine().runs.trigger(task, payload, options)
        return RunHandle(run_id, output, is_cached=is_cached)
    planned = engine().runs.plan(task, payload, options)
    handle: RunHandle[Any] = RunHandle(planned.run_id, output)

    def publish() -> None:
        handle.id, handle.is_cached = planned.publish()  # a key may name an older run

    _at_commit(transaction, planned.run_id, publish, planned.document)
    return handle


def trigger_batch(
    task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions, on_commit: object
) -> BatchHandle[Any]:
    """Make the runs of a batch, or plan them for the commit of the open transaction."""
    transaction = open_transaction(on_commit)
    if transaction is None:
        return BatchHandle(engine().batches.trigger(task, items, options))
    planned = engine().batches.plan(task, items, options)
    handle: BatchHandle[Any] = BatchHandle(planned.runs)
    _at_commit(transaction, handle.id, lambda: handle.take(planned.publish()), planned.document)
    return handle


def _at_commit(
    transaction: Transaction, planned_id: str, publish: Callable[[], None], document: Callable[[], bytes]
) -> None:
    from taskflow.verbs.late_triggers import LATE

    forget = transaction.record(planned_id, document)

    def publish_and_forget() -> None:
        publish()
        if forget is not None:
            forget()

    transaction.on_commit(lambda: LATE.publish(planned_id, publish_and_forget, is_recorded=forget is not None))
