"""The threads of a node that repeat one turn, from the start of the node to its end."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

_UNUSUAL_PAUSE_SECONDS: Final = 1.0


class RepeatingThread(ABC):
    """A daemon thread that repeats ``turn``, with a pause after each, until it is stopped.

    An error never ends the thread: ``handle_error`` logs it and chooses the pause after it.

    Args:
        name: The name of the thread.
        first_pause: Seconds before the first turn.
    """

    def __init__(self, name: str, *, first_pause: float = 0.0) -> None:
        self._first_pause = first_pause
        self._is_stopping = False
        self._wakeup = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def turn(self) -> float:
        """Do the work of one turn. Return the seconds until the next."""

    @abstractmethod
    def handle_error(self, error: Exception) -> float:
        """Log what a turn has raised. Return the seconds until the next turn."""

    def end(self) -> None:  # noqa: B027 - most threads leave nothing
        """Do what is left once no turn follows. Called in the thread."""

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was asked to end. A long turn looks at it."""
        return self._is_stopping

    @property
    def is_alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after its turn, and end its pause."""
        self._is_stopping = True
        self._wakeup.set()

    def wake(self) -> None:
        """End the pause: the next turn begins at once."""
        self._wakeup.set()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended."""
        self._thread.join(seconds)

    def _run(self) -> None:
        self._pause(self._first_pause)
        while not self._is_stopping:
            self._pause(self._handling_errors(self.turn))
        self._handling_errors(self.end)

    def _handling_errors(self, act: Callable[[], float | None]) -> float:
        """Do something and handle what it raises. Not even a SystemExit ends the thread: the node's lease goes on."""
        try:
            return act() or 0.0
        except Exception as error:  # noqa: BLE001 - the subclass handles it
            return self.handle_error(error)
        except BaseException as left:  # noqa: BLE001 - e.g. of a handler of the log
            unusual = RuntimeError(f"{type(left).__name__} in {self._thread.name}")
            unusual.__cause__ = left
            return self.handle_error(unusual) or _UNUSUAL_PAUSE_SECONDS

    def _pause(self, seconds: float) -> None:
        if seconds > 0 and not self._is_stopping:
            self._wakeup.wait(seconds)
        self._wakeup.clear()
