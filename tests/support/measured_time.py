"""A unit of time for bounds such as "at once", measured while the bounded thing happens.

A busy machine is late with everything, so that a bound in seconds fails there, and one wide enough for every machine
finds nothing. A multiple of what this machine needs for a known piece of work, at the same moment, does neither:

    with measured_unit() as unit:
        os.kill(child, signal.SIGKILL)
        ended = node.wait_for("exit", pid=child)
    assert ended["at"] - killed_at < unit.times(20)  # 1 s on an idle machine
"""

import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

IDLE = 0.05
"""The seconds that the work takes at most on an idle machine; a faster machine gets no tighter bound."""
PAUSE = 0.2


class MeasuredUnit(threading.Thread):
    """Starts a Python process that does nothing, again and again, and keeps the longest time that one took."""

    def __init__(self) -> None:
        super().__init__(name="measured-unit")
        self.seconds = IDLE
        self._is_over = threading.Event()

    def run(self) -> None:
        """Measure at least once: a period shorter than one piece of work is measured by that one."""
        while True:
            began = time.monotonic()
            subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
            self.seconds = max(self.seconds, time.monotonic() - began)
            if self._is_over.wait(PAUSE):
                return

    def times(self, number: float) -> float:
        """Return so many units in seconds: ``times(20)`` is 1 s on an idle machine, and more on a busy one."""
        return number * self.seconds

    def end(self) -> None:
        """Measure to the end of the work that has begun."""
        self._is_over.set()
        self.join()


@contextmanager
def measured_unit() -> Generator[MeasuredUnit]:
    """Measure the unit in a thread beside the block. Read it after the block."""
    unit = MeasuredUnit()
    unit.start()
    try:
        yield unit
    finally:
        unit.end()
