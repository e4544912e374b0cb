"""Changes of runs that only the HTTP API makes: metadata and tags from outside, replays with other options."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic_core import to_json

from taskflow.definition.calls.trigger_options import TriggerKeywords, TriggerOptions
from taskflow.engine.loops import Loop
from taskflow.engine.runs import RunEngine
from taskflow.errors import RunUpdateError
from taskflow.models import Run
from taskflow.store.operations.updates import MetadataChange, add_tags, update_metadata


class RunChanges:
    """Changes of runs, awaited."""

    def __init__(self, runs: RunEngine, loop: Callable[[], Loop]) -> None:
        self._runs, self._loop = runs, loop

    async def update_metadata(self, run_id: str, changes: Sequence[MetadataChange], writer: str) -> bytes:
        """Change a run's metadata and return it as JSON. A call that is repeated with its ``writer`` changes nothing.

        Raises:
            RunNotFoundError: No such run.
            RunUpdateError: The run has ended, its metadata would be too large, or a change does not fit them.
        """
        operation = update_metadata(run_id, None, changes, writer=writer, number=1, is_strict=True)
        stored = await self._loop().store.run_for(run_id, operation)
        if stored is None:
            raise RunUpdateError(f"Run {run_id} has ended", "Its metadata stays as it is.")
        return stored.document

    async def add_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags and return how many are new. All are added, or none.

        Raises:
            RunNotFoundError: No such run.
            RunUpdateError: There would be more than 10.
        """
        return await self._loop().store.run_for(run_id, add_tags(run_id, None, tags, is_all=True))

    async def replay(
        self, run: Run, options: TriggerKeywords, payload: tuple[object] | None = None, *, seed: str | None = None
    ) -> str:
        """Make a run like another one and return its id.

        Args:
            options: What the new run has instead. Delay, ttl, priority and keys are not taken over.
            payload: The payload instead of the run's own.
            seed: Text from which the new run's id follows.

        Raises:
            PayloadError: The payload does not fit the task (any more).
            TriggerOptionError: An option is not possible.
        """
        like = TriggerOptions(
            queue=run.queue,
            concurrency_key=run.concurrency_key,
            machine=run.machine,
            tags=run.tags,
            metadata=to_json(run.metadata) if run.metadata else b"",
            test=run.is_test,
        )
        checked = TriggerOptions.checked(**options)
        own = replace(like, **{name: getattr(checked, name) for name in options})
        value = run.payload if payload is None else payload[0]
        return (await self._runs.atrigger(run.task_id, value, own, seed=seed, replay_of=run.id)).run_id
