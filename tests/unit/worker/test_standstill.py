"""The results of a child are read whole, wherever the loop had stopped reading."""

import os
import pickle
import struct
from types import SimpleNamespace
from typing import Any

from celery.concurrency.asynpool import ResultHandler
from kombu.asynchronous import Hub

from taskflow.worker.children.standstill import read_messages


def framed(message: object) -> bytes:
    """Return a message as a child writes it."""
    body = pickle.dumps(message)
    return struct.pack("!i", len(body)) + body


def test_messages_behind_one_that_was_read_in_part_are_read_too() -> None:
    """By Celery's own reader of its pipes. A result and the word on the next job lie behind each other."""
    fd, writer = os.pipe()
    os.set_blocking(fd, False)
    hub: Any = Hub()
    heard: list[object] = []
    handler: Any = object.__new__(ResultHandler)
    handler.fileno_to_outq, handler.on_state_change = {fd: object()}, heard.append
    handler.register_with_event_loop(hub)
    hub.add_reader(fd, handler.handle_event, fd)
    try:
        first, rest = framed("first"), framed("second") + framed("third")
        os.write(writer, first[:6])
        read_messages(hub, SimpleNamespace(outqR_fd=fd))
        assert heard == []
        os.write(writer, first[6:] + rest)
        read_messages(hub, SimpleNamespace(outqR_fd=fd))
        assert heard == ["first", "second", "third"]
    finally:
        hub.close()
        os.close(fd)
        os.close(writer)
