"""A process node also consumes the Celery queues of runs that others wait for, whatever ``-Q`` says."""

from celery import Celery

from taskflow.broker.queues import is_subtask_queue, parse_queue, subtask_queue


def consume_subtasks(app: Celery) -> None:
    """Add to each Celery queue of processes that this worker consumes the one for runs that others wait for.

    Coroutines have none: their node takes tickets however many of them wait.
    """
    queues = app.amqp.queues
    for name in [str(name) for name in queues.consume_from]:
        if not is_subtask_queue(name) and parse_queue(name).executor == "process":
            queues.select_add(queues[subtask_queue(name)])
