"""Where Celery 5.7's prefork pool fails when children die around a loss of the broker, and what is done about it.

Everything here works on the pool's own objects (``celery.concurrency.asynpool.AsynPool``) and calls what it replaces.
"""

from collections.abc import Iterable
from typing import Any

from taskflow.worker.children.exits import exit_status


def mend_pool(asyn: Any) -> None:
    """Have a started pool survive the deaths of its children whenever they come."""
    make, join, track = asyn._create_worker_process, asyn._join_exited_workers, asyn._track_child_process

    def create_worker_process(index: int) -> Any:
        process = make(index)
        _know_pipes(asyn, process)
        return process

    def join_exited_workers(shutdown: bool = False) -> Any:
        try:
            return join(shutdown)
        finally:
            _tidy_pipes(asyn)

    def track_child_process(process: Any, hub: Any) -> None:
        # It has let go of a child whose pipe has closed before it could be waited for; after a reconnect in between it
        # would fail here, and the node end.
        if getattr(process, "_sentinel_poll", process) is not None:
            track(process, hub)

    asyn._create_worker_process, asyn._join_exited_workers = create_worker_process, join_exited_workers
    asyn._track_child_process = track_child_process
    asyn.did_start_ok = lambda: _have_started(list(asyn._pool))


def _have_started(processes: Iterable[Any]) -> bool:
    """Whether no child has exited by itself; one that a signal has ended had started.

    Celery asks once, before its loop, and ends the node if not. That is late while the broker is away: children may
    have been killed by then, as those of a node that has lost its lease are. They are replaced once it is in its loop.
    """
    statuses = [exit_status(process) for process in processes]
    return all(status is None or status < 0 for status in statuses)


def _tidy_pipes(asyn: Any) -> None:
    """Forget the pipes of dead children where Celery 5.7 does not. Their numbers are soon those of other descriptors.

    It keeps the number of a result pipe that it closed because a job lay in the other one. Should a socket of ours get
    the number, it would read from that after the next reconnect. And before its loop has begun it frees none of a dead
    child's pipes: ``get_process_queues`` finds none for the next, and the node would end.
    """
    for fd, process in list(asyn._fileno_to_outq.items()):
        if process not in asyn._pool:
            del asyn._fileno_to_outq[fd]
    if asyn.on_process_down is not None:
        return
    for pipes, owner in list(asyn._queues.items()):
        if owner is not None and owner not in asyn._pool:
            del asyn._queues[pipes]
            asyn._all_inqueues.discard(owner.inqW_fd)
            asyn._fileno_to_inq.pop(owner.inqW_fd, None)
            for pipe in filter(None, pipes):
                pipe.close()
            asyn._queues[asyn.create_process_queues()] = None


def _know_pipes(asyn: Any, process: Any) -> None:
    """Have Celery's loop read what a new child says, should it have begun before that loop."""
    if asyn.on_process_up is None:
        asyn._fileno_to_outq[process.outqR_fd] = process
