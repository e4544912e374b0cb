"""A child tells its node that it only waits, and that it goes on."""

from types import SimpleNamespace
from typing import Any

from taskflow.worker.children.child_waits import ChildWaits


class Line:
    """Records the notifications to the node."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def send(self, run_id: str, *, is_waiting: bool) -> None:
        self.told.append(is_waiting)


def test_a_child_left_by_a_waiting_run_counts_as_waiting_no_more() -> None:
    """Its next runs would keep the pool grown by a child for as long as it has work."""
    line = Line()
    runtime: Any = SimpleNamespace(parking=line)
    claimed: Any = SimpleNamespace(run_id="run_a")
    child_waits = ChildWaits(runtime, claimed)
    child_waits.park()
    child_waits.resume()
    child_waits.park()
    child_waits.leave()
    child_waits.leave()
    assert line.told == [True, False, True, False]
