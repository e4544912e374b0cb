"""A thread of a node repeats its turn, whatever a turn raises, until it is stopped."""

import threading

from taskflow.worker.repeating_thread import RepeatingThread

LONG = 3600.0


class Recorder(RepeatingThread):
    """Records what is called; its first turn fails."""

    def __init__(self, first_pause: float = 0.0) -> None:
        super().__init__("a-test", first_pause=first_pause)
        self.calls: list[str] = []
        self.has_turned = threading.Event()

    def turn(self) -> float:
        self.calls.append("turn")
        if len(self.calls) == 1:
            raise ValueError("the first")
        self.has_turned.set()
        return LONG

    def handle_error(self, error: Exception) -> float:
        self.calls.append(str(error))
        return 0.0

    def end(self) -> None:
        self.calls.append("end")


def test_an_error_is_handled_and_the_next_turn_follows() -> None:
    """A node whose pulse had ended would lose its lease."""
    thread = Recorder()
    thread.start()
    assert thread.has_turned.wait(20)
    thread.stop()
    thread.join(20)
    assert thread.calls == ["turn", "the first", "turn", "end"]
    assert not thread.is_alive


class Exiting(Recorder):
    """Its first turn exits."""

    def turn(self) -> float:
        try:
            return super().turn()
        except ValueError:
            raise SystemExit(3) from None


def test_an_exit_ends_no_thread_of_a_node() -> None:
    """Its lease would go on, and nobody would notice what is not done any more."""
    thread = Exiting()
    thread.start()
    assert thread.has_turned.wait(20)
    thread.stop()
    thread.join(20)
    assert thread.calls == ["turn", "SystemExit in a-test", "turn", "end"]


def test_a_pause_ends_when_the_thread_is_woken() -> None:
    """Log lines of a child that has died are sent at once."""
    thread = Recorder()
    thread.start()
    assert thread.has_turned.wait(20)
    thread.has_turned.clear()
    thread.wake()
    assert thread.has_turned.wait(20)
    thread.stop()
    thread.join(20)
    assert not thread.is_alive


def test_a_thread_that_is_stopped_in_its_first_pause_takes_no_turn() -> None:
    """A node that stops must not begin what it is about to give up."""
    thread = Recorder(first_pause=LONG)
    thread.start()
    thread.stop()
    thread.join(20)
    assert thread.calls == ["end"]
