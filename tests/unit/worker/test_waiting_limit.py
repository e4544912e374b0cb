"""By how many processes a node may grow, and how its children say that they wait."""

import os

from taskflow.definition.machine import PRESETS
from taskflow.worker.attempt.parking import Parked, ParkingLine
from taskflow.worker.children.waiting_pool import waiting_limit
from taskflow.worker.node.host import Host

SMALL, LARGE = PRESETS["small-1x"], PRESETS["large-1x"]


def test_the_memory_of_the_host_bounds_how_many_may_wait() -> None:
    """As many machines as fit besides those that execute; the largest one counts."""
    host = Host(2, 16 * SMALL.memory_bytes)
    assert waiting_limit([SMALL], host, concurrency=4) == 12
    assert waiting_limit([SMALL, LARGE], host, concurrency=1) == max(1, host.memory // LARGE.memory_bytes - 1)


def test_one_may_always_wait() -> None:
    """However small the host, and if nothing is known of the machine."""
    assert waiting_limit([LARGE], Host(1, 2**30), concurrency=1) == 1
    assert waiting_limit([], Host(1, 2**30), concurrency=8) == 1


def test_a_node_reads_whole_lines_of_its_children() -> None:
    """Each as it was said, in order."""
    line = ParkingLine()
    assert line.read() == []
    line.send("run_1", is_waiting=True)
    line.send("run_1", is_waiting=False)
    assert line.read() == [Parked(os.getpid(), "run_1", True), Parked(os.getpid(), "run_1", False)]
    assert line.read() == []


def test_a_line_of_a_child_may_name_a_run_with_any_id() -> None:
    """The id of an adopted run is Celery's, and may hold line breaks and be long."""
    line = ParkingLine()
    for run_id in ("two\nlines and spaces", "ü" * 400):
        line.send(run_id, is_waiting=True)
        assert line.read() == [Parked(os.getpid(), run_id, True)]
