"""A node also consumes the Celery queues of runs that others wait for, whatever ``-Q`` says."""

from celery import Celery

from taskflow.broker.queues import is_subtask_queue, parse_queue, subtask_queue


def consume_subtasks(app: Celery, code: str) -> None:
    """Add to each Celery queue that this worker consumes those for runs that others wait for.

    Coroutines have none for runs of every version: their node takes tickets however many of them wait.

    Args:
        code: The node's code, for what runs of its version wait for, "" when its version is unknown.
    """
    queues = app.amqp.queues
    for name in [str(name) for name in queues.consume_from if not is_subtask_queue(str(name))]:
        if parse_queue(name).executor == "process":
            queues.select_add(queues[subtask_queue(name)])
        if code:
            queues.select_add(queues[subtask_queue(name, code)])
