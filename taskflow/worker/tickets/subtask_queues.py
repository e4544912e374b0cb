"""The Celery queues of runs that others wait for. A node consumes them as well, whatever ``-Q`` names."""

from celery import Celery

from taskflow.broker.queues import is_subtask_queue, parse_queue, subtask_queue


def consume_subtasks(app: Celery, code: str) -> None:
    """Add, to each Celery queue that this worker consumes, the queues of runs that others wait for.

    An async node has none for runs of every version, because it takes tickets however many coroutines wait.

    Args:
        code: The name of the node's code, for the queue of its version; "" when the version is unknown.
    """
    queues = app.amqp.queues
    for name in [str(name) for name in queues.consume_from if not is_subtask_queue(str(name))]:
        if parse_queue(name).executor == "process":
            queues.select_add(queues[subtask_queue(name)])
        if code:
            queues.select_add(queues[subtask_queue(name, code)])
