"""The prefork pool of a node: Celery's ``AsynPool``, with all that a node does differently as overridden methods.

Celery 5.7 documents no interface for this. So the class reads and writes attributes of ``AsynPool`` and of billiard's
``Pool`` that are private, and no other module does. Each override calls the method that it replaces, and its docstring
gives the reason for it. Two things can't be overridden:

- ``TaskPool`` names its pool class in an attribute and is itself chosen by ``-P prefork``, so ``use_node_pool`` sets
  that attribute. A ``TaskPool`` of our own would show in ``celery inspect stats`` and in Flower as another pool.
- Celery's writers close over the object in ``_busy_workers`` instead of asking a method, so the constructor puts
  ``BusyChildren`` there.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from billiard.pool import RUN
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool
from celery.worker import state

from taskflow.worker.attempt.relay import Relay
from taskflow.worker.children.busy_children import BusyChildren
from taskflow.worker.children.exits import exit_status
from taskflow.worker.children.loop import ChildLoop

_ENOUGH: Final = 1000  # a semaphore grows one by one: a million took 0.35 s of each start


class PoolObserver:
    """Follows the children of a pool. This one does nothing, as before the node has started; see ``ChildWatch``."""

    def add_child(self, process: Any) -> None:
        """Follow a child that was just forked."""

    def reaping(self) -> AbstractContextManager[None]:
        """Return what surrounds each look of the pool for children that have ended."""
        return nullcontext()

    def end_condemned(self, pipe: int) -> bool:
        """Kill the child of a job pipe, which has just sent a result, if it was asked to end. Return whether it was."""
        return False

    def end_waiting_children(self) -> None:
        """End the children whose job has not been reported as begun, because the node stops at once."""

    def close(self) -> None:
        """End, because the pool has stopped."""


class NodePool(AsynPool):
    """Children that die at any time and are replaced, that may have a next job at hand, and that wait.

    Attributes:
        observer: Follows the children. A class attribute at first, because the constructor forks.
        busy: The books of busy children.
        shrink_by: Lets so many idle children leave.
    """

    Worker = ChildLoop
    observer = PoolObserver()
    if TYPE_CHECKING:  # what the stubs of celery and billiard leave out
        on_process_up: Any
        on_process_down: Any
        _pool: list[Any]
        _processes: int
        _state: int
        _cache: dict[int, Any]
        _queues: dict[tuple[Any, ...], Any]
        _putlock: Any
        _all_inqueues: set[int]
        _active_writes: set[int]
        _fileno_to_inq: dict[int, Any]
        _fileno_to_outq: dict[int, Any]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.shrink_by: Callable[[int], object] = self.dismiss_idle
        self._busy_workers = self.busy = BusyChildren(self._all_inqueues)
        self._putlock.grow(_ENOUGH)  # Celery's bound of the jobs in the pool; the node's free slots are the bound here

    # -- what differs from Celery ----------------------------------------------------------------------------------

    def _create_worker_process(self, i: int) -> Any:
        """Also have the observer follow the child: each one comes through here, at the start and after a reconnect.

        ``on_process_up`` would not do, because Celery makes a new one at each reconnect. Before Celery's loop has
        begun there is none, and nobody would read the pipe of a child that is started then.
        """
        process = cast("Any", super())._create_worker_process(i)
        if self.on_process_up is None:
            self._fileno_to_outq[process.outqR_fd] = process
        self.observer.add_child(process)
        return process

    def _join_exited_workers(self, shutdown: bool = False) -> Any:
        """Also have the observer look first, while a dead child's request is still in Celery's books."""
        with self.observer.reaping():
            try:
                return cast("Any", super())._join_exited_workers(shutdown)
            finally:
                self._forget_dead_pipes()

    def _track_child_process(self, proc: Any, hub: Any) -> None:
        """Leave out a child whose pipe has closed before it could be waited for.

        Celery has let go of such a child. It would fail here after a reconnect in between, and the node would end.
        """
        if getattr(proc, "_sentinel_poll", proc) is not None:
            cast("Any", super())._track_child_process(proc, hub)

    def did_start_ok(self) -> bool:
        """Return whether no child has exited by itself. A child that a signal has ended had started.

        Celery asks once, before its loop, and ends the node if not. While the broker is away that is late: children may
        have been killed by then, for example because the node has lost its lease. They are replaced in the loop.
        """
        statuses = [exit_status(process) for process in list(self._pool)]
        return all(status is None or status < 0 for status in statuses)

    def on_job_ready(self, job: Any, i: int, obj: Any, inqW_fd: Any) -> None:  # noqa: N803 - Celery's name
        """Count the result. A child that was asked to end is killed now, because it must get no other run."""
        if not self.observer.end_condemned(inqW_fd):
            self.busy.finish(inqW_fd)

    def flush(self) -> None:
        """Keep the jobs in pipes in the books at a reconnect: they will be executed, and may have to be killed."""
        written = [job for job in self._cache.values() if not job._accepted and job._write_to is not None]
        super().flush()
        for job in written:
            if job._write_to._is_alive():
                self._cache[job._job] = job

    def close(self) -> None:
        """At a stop at once also end children that Celery overlooks: it asks those only whose begin it has read.

        A child begins its job, or has begun and its message is unread, while ``join`` waits for the end of all jobs.
        """
        super().close()
        if state.should_terminate not in (None, False):  # as ``state.maybe_shutdown``: 0 is a code to exit with
            self.observer.end_waiting_children()

    def shrink(self, n: int = 1) -> None:
        """Let idle children leave by themselves. Celery sends SIGTERM, which may meet a run that has just begun."""
        self.shrink_by(n)

    def join(self) -> None:
        """Also end the observer: the pool has drained."""
        try:
            super().join()
        finally:
            self.observer.close()

    def terminate(self) -> None:
        """Also end the observer: the pool was stopped at once."""
        try:
            super().terminate()
        finally:
            self.observer.close()

    def _forget_dead_pipes(self) -> None:
        """Forget the pipes of dead children where Celery 5.7 does not. Other descriptors soon get their numbers.

        Celery keeps the number of a result pipe that it closed because a job lay in the job pipe. If a socket of the
        store got that number, Celery would read from the socket after the next reconnect. And before its loop has begun
        Celery frees no pipe of a dead child: ``get_process_queues`` finds none for the next, and the node would end.
        """
        for fd, process in list(self._fileno_to_outq.items()):
            if process not in self._pool:
                del self._fileno_to_outq[fd]
        if self.on_process_down is not None:
            return
        for pipes, owner in list(self._queues.items()):
            if owner is not None and owner not in self._pool:
                del self._queues[pipes]
                self._all_inqueues.discard(owner.inqW_fd)
                self._fileno_to_inq.pop(owner.inqW_fd, None)
                for pipe in filter(None, pipes):
                    pipe.close()
                self._queues[self.create_process_queues()] = None

    # -- what the node asks ----------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """The number of children that there are to be."""
        return self._processes

    @property
    def is_running(self) -> bool:
        """Whether children that end are replaced: until the node drains."""
        return self._state == RUN

    def children(self) -> list[Any]:
        """Return the processes of all children."""
        return list(self._pool)

    def child(self, pid: int) -> Any:
        """Return the process of a child, None when there is no such child."""
        return next((process for process in self._pool if process.pid == pid), None)

    def idle_children(self) -> Iterator[Any]:
        """Yield the processes that are up and were given nothing, the latest first."""
        busy = self.busy.copy()
        for process in reversed(self._pool):
            fd = process.inqW_fd
            if fd in self._all_inqueues and fd not in busy and fd not in self._active_writes:
                yield process

    def dismiss_idle(self, count: int) -> list[int]:
        """Let up to ``count`` idle children leave, and return their pids. On the hub's thread.

        They get the word in their job pipe instead of a signal. A child that looks idle after a reconnect may execute a
        run whose first word is unread; it reads this word after the run (celery 5.7, ``asynpool.py: flush``).
        """
        leaving = list(islice(self.idle_children(), count))
        for process in leaving:
            self._all_inqueues.discard(process.inqW_fd)  # nothing else is written to it
            process.inq.put(None)
            self._processes -= 1
            self._putlock.shrink()
        return [process.pid for process in leaving]

    def queued_jobs(self) -> dict[int, Any]:
        """Return the jobs that lie in pipes behind others, by number."""
        return {
            job._job: job
            for job in list(self._cache.values())
            if not job._accepted and job._write_to is not None and self.busy.jobs(job._write_to.inqW_fd) > 1
        }


def use_node_pool(relay: Relay) -> None:
    """Have Celery make its prefork pools of this class from now on.

    Args:
        relay: What the children inherit.
    """
    ChildLoop.relay = relay
    TaskPool.Pool = NodePool


def node_pool_of(pool: Any) -> NodePool:
    """Return the pool inside a started pool of Celery's (``celery.concurrency.prefork.TaskPool``).

    Raises:
        TypeError: It is not a prefork pool with an event loop.
    """
    inner = getattr(pool, "_pool", None)
    if not isinstance(inner, NodePool):
        raise TypeError(f"Children are watched in a started prefork pool with an event loop, not in {pool!r}.")
    return inner
