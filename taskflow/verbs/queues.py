"""``queues``: look at queues, pause them, change their limits while the system runs."""

from collections.abc import Sequence
from typing import Final

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.queue import Queue, check_limit, check_reason
from taskflow.errors import QueueNotFoundError
from taskflow.errors.base import shown
from taskflow.models import QueueState
from taskflow.texts import is_encodable
from taskflow.verbs.current import engine


class Queues:
    """Queues by name or ``Queue``. A task's own queue is called ``task/<task id>``."""

    def list(self) -> Sequence[QueueState]:
        """Return every queue that is declared or in use, by name."""
        refuse_in_event_loop("queues.list", "queues.alist")
        return engine().queues.list()

    async def alist(self) -> Sequence[QueueState]:
        """Return every queue. See ``list``."""
        return await engine().queues.alist()

    def retrieve(self, queue: str | Queue) -> QueueState:
        """Return a queue's limits and load.

        Raises:
            QueueNotFoundError: No such queue.
        """
        refuse_in_event_loop("queues.retrieve", "queues.aretrieve")
        return engine().queues.retrieve(_name(queue))

    async def aretrieve(self, queue: str | Queue) -> QueueState:
        """Return a queue's limits and load. See ``retrieve``."""
        return await engine().queues.aretrieve(_name(queue))

    def pause(self, queue: str | Queue, *, reason: str = "") -> None:
        """Stop starting runs of a queue, on any worker. Runs that execute go on; new ones wait.

        Args:
            reason: Shown with the queue and with every run that waits for it, at most 500 characters.

        Raises:
            QueueNotFoundError: No such queue.
            DefinitionError: The reason is too long, or no text that can be stored.
        """
        refuse_in_event_loop("queues.pause", "queues.apause")
        engine().queues.control(_name(queue), "pause", reason=check_reason(reason))

    async def apause(self, queue: str | Queue, *, reason: str = "") -> None:
        """Stop starting runs of a queue. See ``pause``."""
        await engine().queues.acontrol(_name(queue), "pause", reason=check_reason(reason))

    def resume(self, queue: str | Queue) -> None:
        """Let the runs of a paused queue start again.

        Raises:
            QueueNotFoundError: No such queue.
        """
        refuse_in_event_loop("queues.resume", "queues.aresume")
        engine().queues.control(_name(queue), "resume")

    async def aresume(self, queue: str | Queue) -> None:
        """Let the runs of a paused queue start again. See ``resume``."""
        await engine().queues.acontrol(_name(queue), "resume")

    def override_concurrency_limit(self, queue: str | Queue, limit: int) -> None:
        """Replace the declared limit until it is reset, whatever workers declare meanwhile.

        Raises:
            QueueNotFoundError: No such queue.
            DefinitionError: The limit is not 1 to 100,000.
        """
        refuse_in_event_loop("queues.override_concurrency_limit", "queues.aoverride_concurrency_limit")
        engine().queues.control(_name(queue), "override", check_limit("limit", limit))

    async def aoverride_concurrency_limit(self, queue: str | Queue, limit: int) -> None:
        """Replace the declared limit. See ``override_concurrency_limit``."""
        await engine().queues.acontrol(_name(queue), "override", check_limit("limit", limit))

    def reset_concurrency_limit(self, queue: str | Queue) -> None:
        """Return to the declared limit.

        Raises:
            QueueNotFoundError: No such queue.
        """
        refuse_in_event_loop("queues.reset_concurrency_limit", "queues.areset_concurrency_limit")
        engine().queues.control(_name(queue), "reset")

    async def areset_concurrency_limit(self, queue: str | Queue) -> None:
        """Return to the declared limit. See ``reset_concurrency_limit``."""
        await engine().queues.acontrol(_name(queue), "reset")

    def pause_environment(self, *, reason: str = "") -> None:
        """Stop starting runs of the whole environment. Runs that execute go on. ``reason``: see ``pause``."""
        refuse_in_event_loop("queues.pause_environment", "queues.apause_environment")
        engine().queues.control_environment("pause", check_reason(reason))

    async def apause_environment(self, *, reason: str = "") -> None:
        """Stop starting runs of the whole environment. See ``pause_environment``."""
        await engine().queues.acontrol_environment("pause", check_reason(reason))

    def resume_environment(self) -> None:
        """Let the runs of a paused environment start again."""
        refuse_in_event_loop("queues.resume_environment", "queues.aresume_environment")
        engine().queues.control_environment("resume")

    async def aresume_environment(self) -> None:
        """Let the runs of a paused environment start again. See ``resume_environment``."""
        await engine().queues.acontrol_environment("resume")

    def environment(self) -> QueueState:
        """Return the environment's limit and whether it is paused, as a queue without a name."""
        refuse_in_event_loop("queues.environment", "queues.aenvironment")
        return engine().queues.environment()

    async def aenvironment(self) -> QueueState:
        """Return the environment's limit and whether it is paused. See ``environment``."""
        return await engine().queues.aenvironment()


def _name(queue: str | Queue) -> str:
    name: object = queue.name if isinstance(queue, Queue) else queue
    if not isinstance(name, str) or not name or not is_encodable(name):
        raise QueueNotFoundError(
            name if isinstance(name, str) else shown(name or ""),
            'Give the queue\'s name, "invoices", or a Queue that has one.',
        )
    return name


queues: Final = Queues()
