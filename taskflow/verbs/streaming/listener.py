"""``stream.on``: hand items to a function in the background of an attempt, in its event loop or in a thread."""

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable
from contextlib import aclosing, closing

from taskflow.errors import TaskflowError
from taskflow.execution.reporting.current import OWN_THREADS
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.seams.streams import StreamAddress
from taskflow.verbs.current import engine

log = logging.getLogger("taskflow.run")


class Listener:
    """Hands items to a function until ``off()``, or until its attempt ends."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end

    def off(self) -> None:
        """Stop calling the function. A call that is under way goes on."""
        self._end()


def listen(live: LiveRun, place: StreamAddress, call: Callable[[bytes], object]) -> Listener:
    """Call a function with the items of an input stream that its attempt has not taken, and with later ones."""
    start = live.inputs.get(place.name, 0)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        listener = _in_thread(place, start, call)
    else:
        calling = _call_in_loop(place, start, call)
        task = loop.create_task(calling, name=f"{OWN_THREADS}listener")  # the name keeps it from holding a slot
        listener = Listener(task.cancel)
    live.at_end.append(listener.off)
    return listener


def _in_thread(place: StreamAddress, start: int, call: Callable[[bytes], object]) -> Listener:
    is_off = threading.Event()
    context = contextvars.copy_context()  # the function is code of this attempt
    thread = threading.Thread(
        target=context.run, args=(_call_in_thread, place, start, call, is_off), name=f"stream {place.name}", daemon=True
    )
    thread.start()
    return Listener(is_off.set)


def _call_in_thread(place: StreamAddress, start: int, call: Callable[[bytes], object], is_off: threading.Event) -> None:
    try:
        with closing(engine().streams.read(place, start)) as documents:
            for document in documents:
                if is_off.is_set():
                    return
                _call_logged(place, document, call)
    except TaskflowError as error:
        log.warning("stream.unheard: %s", error)


async def _call_in_loop(place: StreamAddress, start: int, call: Callable[[bytes], object]) -> None:
    try:
        async with aclosing(engine().streams.aread(place, start)) as documents:
            async for document in documents:
                returned = _call_logged(place, document, call)
                if inspect.isawaitable(returned):
                    try:
                        await returned
                    except Exception:
                        log.exception("stream.handler: of stream %r of run %s", place.name, place.run_id)
    except TaskflowError as error:
        log.warning("stream.unheard: %s", error)


def _call_logged(place: StreamAddress, document: bytes, call: Callable[[bytes], object]) -> object:
    try:
        return call(document)
    except Exception:
        log.exception("stream.handler: of stream %r of run %s", place.name, place.run_id)
        return None
