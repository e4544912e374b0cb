"""The delay of a message to taskflow's workers: a header, which becomes the delay of a run in the store."""

from datetime import datetime, timedelta
from typing import Any

from celery import Celery


def eta_header(celery: Celery, countdown: float | None, eta: datetime | str | None) -> dict[str, str]:
    """Return the header that says when the task of a message is due, as Celery writes it; {} for at once.

    Celery itself would send a delayed message for a quorum queue through 28 queues of RabbitMQ (its native delayed
    delivery): the exchange is there only once a worker has started, and a countdown of less than a second is an error.

    Raises:
        TypeError: The countdown is no number.
    """
    app: Any = celery
    if countdown:  # goes before an eta, as in Celery
        due: datetime = app.now() + timedelta(seconds=countdown)
        return {"eta": due.isoformat()}
    if not eta:
        return {}
    return {"eta": eta if isinstance(eta, str) else eta.isoformat()}
