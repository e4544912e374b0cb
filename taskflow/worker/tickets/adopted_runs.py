"""The runs of messages that plain Celery producers sent, as they are written to the store."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from pydantic_core import to_json

from taskflow.definition.documents.escaping import escaped_value
from taskflow.definition.documents.payload import argsrepr
from taskflow.engine.new_run import Planner
from taskflow.store import operations
from taskflow.store.operations.making import NewRun
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate, shard_of_queue
from taskflow.worker.attempt.runtime import Adoption

_BEFORE_END: Final = timedelta(hours=1)
"""Time after which a run would start that is ended right after it was made, if the node died in between."""


class AdoptedRuns:
    """Makes the runs of messages, under Celery's ids."""

    def __init__(self, planner: Planner, store: Store) -> None:
        self._planner, self._store = planner, store

    def make(self, adoption: Adoption) -> None:
        """Make a run, once per id, and end it when it may not execute.

        Raises:
            PayloadError: The payload does not fit, or is too large.
            StoreUnavailableError: The store did not answer. The call may be repeated.
        """
        new = self._ended(adoption) if adoption.end else self._plan(adoption)
        shards = locate(new.id, self._planner.shards)
        shard = shards[0] if len(shards) == 1 else shard_of_queue(new.queue, self._planner.shards)
        # Without waiting for replicas, because this is the node's hub, and the message's producer does not wait.
        self._store.run(operations.making.trigger_run(new, needs_replicas=False), shard=shard)
        if adoption.end:
            self._store.run(operations.adoption.end_adopted(new.id, *adoption.end), shard=shard)

    def _plan(self, adoption: Adoption) -> NewRun:
        definition = self._planner.registry.get(adoption.task_id)
        new = self._planner.plan(definition, adoption.payload, adoption.options, adoption.run_id)
        if new.large:
            self._planner.large_values.write(new.large)
        return replace(new, trace=adoption.trace, canvas=adoption.canvas)

    def _ended(self, adoption: Adoption) -> NewRun:
        """Plan a run that only shows what the message had. Its payload is not checked, and null if too large."""
        definition = replace(self._planner.registry.get(adoption.task_id), payload=None)
        new = self._planner.plan(definition, None, adoption.options, adoption.run_id)
        document = _json(adoption.payload)
        if len(document) > self._planner.payload_limit:
            document = b"null"
        new.trace, new.canvas = adoption.trace, adoption.canvas
        return replace(new, payload=document, args=argsrepr(document), due=_BEFORE_END)


def _json(payload: object) -> bytes:
    try:
        return to_json(payload, inf_nan_mode="null")
    except ValueError:  # lone surrogates, or nested too deeply
        pass
    try:
        return to_json(escaped_value(payload), inf_nan_mode="null")
    except (ValueError, RecursionError):
        return b"null"
