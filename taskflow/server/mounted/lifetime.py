"""The state of the current application in a server of the user's own: its open streams, which end with the server."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

from taskflow.app import TaskFlow
from taskflow.errors import TaskflowError
from taskflow.seams.current_application import CURRENT
from taskflow.server.realtime.event_stream import CutStreams
from taskflow.server.state import ServerState

log = logging.getLogger("taskflow.server")
_states: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, ServerState]] = WeakKeyDictionary()
_CUT: Final = CutStreams()
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def current_state() -> ServerState:
    """Return the state of the current application in the running loop. The application is made at the first use.

    Raises:
        SettingsError: A setting is wrong.
        NotOverHttpError: TASKFLOW_API_URL is set.
    """
    loop = asyncio.get_running_loop()
    flow = TaskFlow.current() if CURRENT.application else await asyncio.to_thread(TaskFlow.current)
    state = _states.get(loop)
    if state is None or state.flow is not flow:
        state = _states[loop] = ServerState.of(flow, dict)
    return state


@asynccontextmanager
async def lifetime() -> AsyncGenerator[TaskFlow]:
    """Connect before the first request, end open streams when the server is asked to stop, and close the connections.

    An application that a caller has set stays open, without its connections of this event loop. A store that does not
    answer does not keep the server from starting.

    Raises:
        SettingsError: A setting is wrong.
        NotOverHttpError: TASKFLOW_API_URL is set.
    """
    is_ours = CURRENT.application is None
    state = await current_state()
    flow = state.flow
    try:
        await flow.engine.webhooks.awarm()
    except TaskflowError as error:
        log.warning("server.cold: the store did not answer at the start: %s", error)
    try:
        with _stopping_at_signals(state.stopping):
            yield flow
    finally:
        state.stopping.set()
        _states.pop(asyncio.get_running_loop(), None)
        await flow.engine.aclose()
        if is_ours:
            with CURRENT.lock:
                if CURRENT.application is flow:
                    CURRENT.application = None  # the next one, of a test for example, begins anew
            await asyncio.to_thread(flow.close)


@contextmanager
def _stopping_at_signals(stopping: asyncio.Event) -> Generator[None]:
    """Set an event as soon as the server's own handler of a signal is called.

    The server ends its lifespan only when all answers have ended, so that an open stream would hold it up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    ours = {each: _with_event(handler, loop, stopping) for each, handler in before.items() if callable(handler)}
    for each, handler in ours.items():
        signal.signal(each, handler)
    try:
        yield
    finally:
        for each, handler in ours.items():
            if signal.getsignal(each) is handler:
                signal.signal(each, before[each])


def _with_event(
    handler: Callable[[int, FrameType | None], Any], loop: asyncio.AbstractEventLoop, stopping: asyncio.Event
) -> Callable[[int, FrameType | None], Any]:
    def handle(number: int, frame: FrameType | None) -> Any:
        logging.getLogger("uvicorn.error").addFilter(_CUT)
        loop.call_soon_threadsafe(stopping.set)
        return handler(number, frame)

    return handle
