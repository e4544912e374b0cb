"""Answers to producers with a result backend of their own: the end of a plain message's run, in Celery's format.

A message names the queue on which an ``rpc://`` producer waits (``reply_to``). It does not name other backends, so a
setting does. RabbitMQ drops an answer whose queue is gone; a Redis would keep it, so answers there are bounded.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final, cast

from amqp.exceptions import AMQPError, NotFound
from celery import Celery
from celery.app import backends
from kombu.exceptions import KombuError
from kombu.utils.json import dumps

from taskflow.broker.urls import is_redis

log = logging.getLogger("taskflow.canvas")
REPLIES: Final = "taskflow_replies"
"""The attribute of the Celery app to which ``app.py`` binds the answers."""
NOBODY: Final = "none"
"""The setting with which no producer is answered."""
UNREAD_ANSWERS: Final = 1000
"""Most answers that may lie in a Redis for one producer, of which nobody can see whether it reads them."""
_UNREAD_BYTES: Final = 16_000_000  # if all were as long as the one to come
_LOOK_REDIS: Final = 1.0
_LOOK_RABBIT: Final = 60.0
"""Seconds after which a producer's queue is looked at again."""
_KNOWN: Final = 10_000
_UNREAD_MS: Final = 3_600_000
_POLICY: Final = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}


class Replies:
    """Answers producers. The backend is made at the first answer, because it connects.

    Args:
        backend: A ``result_backend`` of Celery's to which every end is written, ``none`` for no answers at all. None:
            answers go to the queues that the messages name.
    """

    def __init__(self, app: Celery, backend: str | None) -> None:
        self._app = app
        self._url = backend
        self._backend: Any = None
        self._known: dict[str, tuple[float, bool]] = {}

    def wanted(self, headers: Mapping[str, Any], reply_to: str, correlation_id: str) -> dict[str, str] | None:
        """Return where a message's end is to be answered, to be kept as JSON; None when nobody waits for it."""
        if self._url == NOBODY or headers.get("ignore_result") is True:
            return None
        if self._url is not None:
            return {"to": "", "id": ""}
        return {"to": reply_to, "id": correlation_id} if reply_to and self._is_read(reply_to) else None

    def _is_read(self, queue: str) -> bool:
        """Whether somebody may read this queue: looked up now and then, because answers that nobody reads cost time."""
        known_until, is_read = self._known.get(queue, (0.0, True))
        now = time.monotonic()
        if now >= known_until:
            if len(self._known) > _KNOWN:
                self._known.clear()
            is_redis_broker = is_redis(str(self._app.conf.broker_write_url))
            is_read = self._look(queue, is_redis_broker)
            self._known[queue] = (now + (_LOOK_REDIS if is_redis_broker else _LOOK_RABBIT), is_read)
        return is_read

    def _look(self, queue: str, is_redis_broker: bool) -> bool:
        app: Any = self._app
        try:
            with app.pool.acquire(block=True, timeout=1) as connection:
                connection.ensure_connection(max_retries=1)
                with connection.channel() as channel:
                    if is_redis_broker:
                        return _unread(channel, queue) < UNREAD_ANSWERS
                    channel.queue_declare(queue=queue, passive=True)  # an rpc:// producer declares it before it sends
                    return True
        except NotFound:
            return False
        except (AMQPError, KombuError, OSError) as error:
            log.debug("answer.unknown: %s", type(error).__name__)
            return True

    def answer(
        self, task_id: str, place: Mapping[str, str], result: object, state: str, traceback: str | None = None
    ) -> None:
        """Write the end of a task to where its producer looks. It may be written again.

        Args:
            place: What ``wanted`` returned.
            result: The output, or an exception.

        Raises:
            ConnectionError: The broker, or the backend, can't be reached now.
        """
        try:
            if self._url is None:
                self._publish(task_id, place, result, state, traceback)
            else:
                self._made().store_result(task_id, result, state, traceback=traceback)
        except Exception as error:
            if self._is_away(error):
                raise ConnectionError(f"A producer was not answered: {type(error).__name__}") from error
            log.exception("answer.failed: %r: check TASKFLOW_CELERY_RESULT_BACKEND", task_id)

    def _is_away(self, error: Exception) -> bool:
        listed = getattr(self._backend, "connection_errors", ())
        return isinstance(error, (KombuError, OSError, *(kind for kind in listed if kind is not KeyError)))

    def _publish(
        self, task_id: str, place: Mapping[str, str], result: object, state: str, traceback: str | None
    ) -> None:
        app: Any = self._app
        encoded = app.backend.encode_result(result, state)
        meta: dict[str, object] = {
            "task_id": task_id,
            "status": state,
            "result": encoded,
            "traceback": traceback,
            "children": [],
        }
        queue, is_kept = place["to"], is_redis(str(app.conf.broker_write_url))
        with app.amqp.producer_pool.acquire(block=True) as producer:
            unread = _unread(producer.channel, queue) if is_kept else 0
            if unread >= UNREAD_ANSWERS or (unread and (unread + 1) * len(dumps(meta)) > _UNREAD_BYTES):
                log.warning("answer.dropped: %r: its producer leaves %d answers unread", task_id, unread)
                return
            producer.publish(
                meta,
                exchange="",
                routing_key=queue,
                correlation_id=place["id"] or task_id,
                serializer="json",
                retry=True,
                retry_policy=_POLICY,
                delivery_mode="transient",
            )
            if is_kept:
                with producer.channel.conn_or_acquire() as client:
                    client.pexpire(queue, _UNREAD_MS)

    def _made(self) -> Any:
        if self._backend is None:
            kind, url = cast("Any", backends).by_url(self._url, self._app.loader)
            self._backend = kind(app=self._app, url=url)
        return self._backend


def _unread(channel: Any, queue: str) -> int:
    with channel.conn_or_acquire() as client:
        return int(client.llen(queue))
