"""Ticks under faults, in small. ``python -m tests.faults.schedules`` is the whole drive."""

from pathlib import Path

import pytest

from tests.faults.schedules import Drive, drive


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_each_tick_makes_one_run_although_nodes_die(tmp_path: Path) -> None:
    """A ledger compares all ticks with all runs. The size of a drive that proves lateness is ten times as large."""
    result = drive(Drive(seed=7, nodes=2, schedules=20, seconds=8, kill_every=3, jumps=False), tmp_path)
    print(result)
    assert result.problems == []
    assert result.kills == 2
    assert result.ticks > 20 * 5
