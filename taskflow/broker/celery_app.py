"""The Celery application: its configuration, its queues and its routes. It registers no tasks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, cast

from celery import Celery as Celery
from celery import _state
from celery.app.amqp import AMQP, Queues
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES

from taskflow import guard_of_tests
from taskflow.broker.delays import eta_header
from taskflow.broker.log_filter import hide_payload_values
from taskflow.broker.queues import EXCHANGE_NAME, celery_queue, exchange_type, shared_queue
from taskflow.broker.urls import BATCH_SCHEME, batch_url, is_amqp, is_redis, kombu_url

Route = Callable[[str], str | None]
"""Returns the Celery queue of a task that a plain Celery producer sends, None for an unknown task."""

_BATCH_TRANSPORT: Final = "taskflow.broker.redis_transport:Transport"
_HEALTH_CHECK_S: Final = 25
# kombu's own limit is 10 connections a channel: too few for pools of threads.
_MAX_CONNECTIONS: Final = 100


def make_celery(
    broker_url: str,
    *,
    environment: str,
    route: Route,
    default_machine: str = "small-1x",
    connect_timeout: timedelta = timedelta(seconds=5),
    transport_options: dict[str, object] | None = None,
) -> Celery:
    """Make the Celery application of an environment. It connects to nothing yet and is not Celery's current one.

    Args:
        broker_url: Redis, Valkey (``redis://``, ``rediss://``, ``valkey://``, ``unix://``) or RabbitMQ (``amqp://``).
            Environment variables of Celery's own do not override it.
        route: Names the queue to which ``send_task`` and ``apply_async`` send a task when the call names none.
        default_machine: The machine whose shared queue a worker without ``-Q`` consumes.
        connect_timeout: Time that one attempt to connect may take.
        transport_options: More ``broker_transport_options``. They override taskflow's own.
    """
    TRANSPORT_ALIASES.setdefault(BATCH_SCHEME, _BATCH_TRANSPORT)
    amqp = _RabbitQueuesAMQP if is_amqp(broker_url) else _PlainQueuesAMQP
    celery = _App("taskflow", amqp=amqp, set_as_current=False)
    celery.is_run_task = lambda name: route(name) is not None
    celery.store_url = broker_url
    celery.conf.update(
        _settings(kombu_url(broker_url), shared_queue(environment, default_machine, "process"), connect_timeout)
    )
    celery.conf.update(
        broker_transport_options=_transport_options(broker_url, connect_timeout) | (transport_options or {}),
        task_routes=(_router(route),),
    )
    return celery


class _App(Celery):
    """Celery with the run store as its result backend. ``CELERY_RESULT_BACKEND`` is ignored."""

    backend_cls = "taskflow.broker.result_backend:RunBackend"
    builtin_fixups = {"taskflow.broker.django_fixup:fixup"}  # noqa: RUF012 - as Celery has it
    is_run_task: Callable[[str], bool]
    store_url: str

    @cached_property
    def AsyncResult(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # noqa: N802
        """The class of results, bound to this app."""
        return self.subclass_with_self(cast("Any", "taskflow.broker.result_backend:RunResult"))

    @property
    def thread_oid(self) -> str:
        """No queue for replies: results are read from the store."""
        return ""

    def send_task(
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        *others: Any,
        **options: Any,
    ) -> Any:
        """Send a message. The result of a run can be read although our tasks have Celery ignore their results."""
        guard_of_tests.check(self.store_url)
        is_run = self.is_run_task(name)
        if is_run and options.get("reply_to"):  # of a chain's task: the producer of the chain waits for its end
            options["ignore_result"] = False
        if is_run and (due := eta_header(self, countdown, eta)):
            options["headers"] = {**(options.get("headers") or {}), **due}
            countdown = eta = None
        result = super().send_task(name, args, kwargs, countdown, cast("Any", eta), *others, **options)
        if is_run:
            result.ignored = False
        return result


def eager_mode(celery: Celery) -> Callable[[], bool]:
    """Return a function that tells whether ``task_always_eager`` is set. Each trigger calls it, so it is a look-up."""
    seen: Any = None
    at_first = False

    def is_eager() -> bool:
        nonlocal seen, at_first
        conf: Any = celery.conf
        if conf is not seen:  # configured anew
            seen, at_first = conf, bool(conf.task_always_eager)
        return bool(conf.changes.get("task_always_eager", at_first))

    return is_eager


def become_default(celery: Celery) -> None:
    """Make this app Celery's default one, unless the process has another.

    Calls without an app use it, for example ``celery.result.AsyncResult(id)`` in Flower.
    """
    default: Celery | None = cast("Any", _state).default_app
    if default is None or default.main == "default":  # the app that Celery makes when there is none
        celery.set_default()


def prepare_worker(celery: Celery) -> None:
    """Make this process a consumer: it takes tickets in batches from a Redis, and its logs have no payload values.

    Call it before the worker connects. Producers, Flower and the command line keep kombu's own transport.
    """
    hide_payload_values()
    url = batch_url(celery.conf.broker_write_url)
    if url is not None:
        celery.conf.update(broker_read_url=url)


def _settings(url: str, default_queue: str, connect_timeout: timedelta) -> dict[str, Any]:
    is_rabbit = is_amqp(url)
    return {
        # Both are set, because CELERY_BROKER_URL of another application in this environment overrides broker_url.
        "broker_url": url,
        "broker_read_url": url,
        "broker_write_url": url,
        "broker_connection_timeout": connect_timeout.total_seconds(),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # On RabbitMQ a ticket is acknowledged when its run has ended: the number of unacknowledged tickets bounds how
        # many a node is sent, so no ticket waits in a busy node. On Redis the free slots are the bound. The lease
        # recovers runs in either case.
        "task_acks_late": is_rabbit,
        "task_store_errors_even_if_ignored": False,
        "task_serializer": "json",
        "result_serializer": "json",
        # Of the result backends of plain producers (``replies``): a child waits for them, and upkeep tries again.
        "result_backend_transport_options": {"retry_policy": {"max_retries": 1, "interval_max": 0.2}},
        "redis_socket_connect_timeout": connect_timeout.total_seconds(),
        "redis_socket_timeout": connect_timeout.total_seconds(),
        "accept_content": ["json"],
        "enable_utc": True,
        "task_send_sent_event": False,
        "worker_prefetch_multiplier": 0 if is_redis(url) else 1,  # on Redis the free slots are the only bound
        # The free slots also bound a reconnected node; Celery's own reduction would reduce its share a second time.
        "worker_enable_prefetch_count_reduction": False,
        "task_default_exchange": EXCHANGE_NAME,
        "task_default_exchange_type": exchange_type(is_amqp=is_rabbit),
        "task_default_queue": default_queue,
        "task_default_routing_key": default_queue,
        "task_queues": (celery_queue(default_queue, is_amqp=is_rabbit),),
        "task_create_missing_queues": True,
        "worker_redirect_stdouts": False,  # tasks have real streams, whose lines are kept with their runs
    }


def _transport_options(url: str, connect_timeout: timedelta) -> dict[str, Any]:
    if is_amqp(url):
        return {"confirm_publish": True}
    if not is_redis(url):
        return {}
    return {
        "socket_connect_timeout": connect_timeout.total_seconds(),
        # Longer than the blocking pop of one second, because a closing channel reads that pop to its end.
        "socket_timeout": max(connect_timeout.total_seconds(), 2.0),
        "socket_keepalive": True,
        "health_check_interval": _HEALTH_CHECK_S,
        "max_connections": _MAX_CONNECTIONS,
    }


def _router(route: Route) -> Callable[..., dict[str, str] | None]:
    def route_task(name: str, *_: object, **__: object) -> dict[str, str] | None:
        queue = route(name)
        return None if queue is None else {"queue": queue}

    return route_task


class _PlainQueues(Queues):
    """Celery's queues. A queue made by name (``-Q``, ``queue=``, add_consumer) is declared as taskflow declares it."""

    is_amqp = False

    def new_missing(self, name: str) -> Queue:
        return celery_queue(name, is_amqp=self.is_amqp)

    def add_compat(self, name: str, **options: Any) -> Queue:
        queue = self.new_missing(name)
        self[name] = queue
        return queue


class _RabbitQueues(_PlainQueues):
    is_amqp = True


class _PlainQueuesAMQP(AMQP):
    queues_cls = _PlainQueues


class _RabbitQueuesAMQP(AMQP):
    queues_cls = _RabbitQueues
