"""Many children at once. ``python -m benchmarks.resumes`` repeats it a thousand times."""

from benchmarks.resumes import Race
from tests.support.servers import RedisServer


def test_a_parent_goes_on_once_when_all_its_children_finish_at_the_same_instant(store_server: RedisServer) -> None:
    """As items, as runs, and while it begins to wait: counted in what its node is told."""
    race = Race(store_server.url)
    try:
        found = race.repeat(6)
    finally:
        race.close()
    assert {what.rpartition(": ")[2] for what in found} == {"1"}
    assert found.total() == 6
