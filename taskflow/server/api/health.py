"""Whether the process lives, and whether what it needs answers."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from taskflow.app import TaskFlow
from taskflow.broker.broker_check import check_broker
from taskflow.server.api.wire import Wire
from taskflow.server.call import Answer, Call
from taskflow.server.route import OPEN, ApiRoute


class Health(Wire):
    """The process lives."""

    status: str


class Readiness(Wire):
    """The servers behind this one: of each ``ok``, ``none``, or ``down``."""

    status: str
    store: str
    broker: str
    history: str


async def health(_: Call) -> Health:
    """Return that the process answers."""
    return Health(status="ok")


async def readiness(call: Call) -> Answer:
    """Return whether store, broker and history answer: 503 when one does not. They are asked once a second at most."""
    found = await call.server.ready.get(partial(_states, call.flow))
    is_ready = "down" not in found
    store, broker, history = found
    ready = Readiness(status="ok" if is_ready else "down", store=store, broker=broker, history=history)
    return Answer(ready, status=200 if is_ready else 503)


async def _states(flow: TaskFlow) -> Sequence[str]:
    within = flow.settings.connect_timeout.total_seconds() + 1
    return await asyncio.gather(*(_state(look, flow, within) for look in (_ask_store, _ask_broker, _ask_history)))


async def _state(look: Callable[[TaskFlow], str], flow: TaskFlow, within: float) -> str:
    try:
        async with asyncio.timeout(within):
            return await asyncio.to_thread(look, flow)
    except Exception:  # noqa: BLE001 - whatever a driver raises, the server is not ready
        return "down"


def _ask_store(flow: TaskFlow) -> str:
    flow.store.server_info("server")
    return "ok"


def _ask_broker(flow: TaskFlow) -> str:
    if not flow.is_one_server:
        check_broker(flow.celery, (), timeout=flow.settings.connect_timeout.total_seconds())
    return "ok"


def _ask_history(flow: TaskFlow) -> str:
    return "none" if flow.settings.database_url == "none" or not flow.lookup.is_ready() else "ok"


ROUTES: Final = (
    ApiRoute("GET", "/healthz", health, "Say that the process lives.", OPEN, answer=Health),
    ApiRoute("GET", "/readyz", readiness, "Say whether store, broker and history answer.", OPEN, answer=Readiness),
)
