"""The queue wakes its thread for every event and every signal."""

import signal
import subprocess
import sys
import time

from taskflow.worker.launch.signal_queue import SignalQueue


def test_events_come_out_in_the_order_of_their_arrival() -> None:
    """The first event put is the first event handled."""
    events: SignalQueue[str] = SignalQueue()
    for event in ("first", "second"):
        events.put(event)
    assert [events.get(0), events.get(0), events.get(0)] == ["first", "second", None]


SENDER = """
import os, random, signal, sys, time
for _ in sys.stdin.buffer:
    send_at = time.perf_counter() + random.random() * 30e-6
    while time.perf_counter() < send_at:
        pass
    os.kill(os.getppid(), signal.SIGUSR1)
"""


def test_no_signal_is_slept_through() -> None:
    """Signals that come at any instant around the falling asleep are events at once.

    With ``queue.SimpleQueue``, whose ``get`` sleeps on a lock, about one in 10,000 waited for the timeout.
    """
    events: SignalQueue[str] = SignalQueue()
    late = 0
    with (
        events.signals([signal.SIGUSR1]),
        subprocess.Popen([sys.executable, "-c", SENDER], stdin=subprocess.PIPE, bufsize=0) as sender,
    ):
        assert sender.stdin is not None
        for _ in range(20_000):
            sender.stdin.write(b"\n")
            asked_at = time.monotonic()
            while events.get(5) is None:
                late += time.monotonic() - asked_at > 4
        sender.stdin.close()
    assert not late


def test_the_handlers_from_before_come_back() -> None:
    """A caller's own Ctrl-C works again afterwards."""
    before = signal.getsignal(signal.SIGUSR1)
    events: SignalQueue[str] = SignalQueue()
    with events.signals([signal.SIGUSR1]):
        assert signal.getsignal(signal.SIGUSR1) != before
    assert signal.getsignal(signal.SIGUSR1) == before
