"""Triggers inside SQLAlchemy's transactions, with a real store, a real worker and a database that both use."""

from collections import Counter
from typing import cast

import pytest

from tests.support.django_site import report
from tests.support.flask_site import FlaskSite
from tests.support.waiting import wait_until

TRIES = 1_000


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed, kind", [(1, "flask"), (2, "plain")])
def test_a_committed_trigger_runs_once_and_a_rolled_back_one_never(site: FlaskSite, seed: int, kind: str) -> None:
    """Faults are raised anywhere, in savepoints within savepoints, and the store is away when a commit comes."""
    site.start_node(concurrency=2)
    words = ("-m", "tests.projects.flask_site.commits", str(seed), str(TRIES), str(site.port), kind)
    done = report(site.call(*words, timeout=200, env={"TASKFLOW_CONNECT_TIMEOUT": "1"}))
    committed = {str(run_id) for (run_id,) in site.rows("SELECT run_id FROM orders")}
    rolled_back = cast("list[str]", done["rolled_back"])
    assert len(committed) > TRIES / 4, "too few were committed for the test to mean something"
    assert len(rolled_back) > TRIES / 4, "too few were rolled back"

    def is_done() -> bool:
        return len(site.rows("SELECT id FROM effects")) >= len(committed)

    wait_until(is_done, "all committed runs to be executed", timeout=90)
    effects = Counter(str(run_id) for (run_id,) in site.rows("SELECT run_id FROM effects"))
    assert effects == Counter(committed), "each committed run once, and no other"
    assert not site.rows("SELECT name FROM effects WHERE NOT saw_order"), "no run started before its row was there"
