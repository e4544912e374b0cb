"""Triggers inside Django's transactions, with a real store, a real worker and a database that both use."""

import random
from collections import Counter
from typing import cast

import pytest

from tests.support.django_site import DjangoSite, report
from tests.support.waiting import wait_until

TRIES = 1_000
SEED = random.randrange(1_000_000)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_committed_trigger_runs_once_and_a_rolled_back_one_never(any_site: DjangoSite) -> None:
    """Faults are raised anywhere, in blocks within blocks, and the store is away when a commit comes."""
    print(f"seed {SEED}")
    any_site.start_node("process")
    any_site.start_node("async")
    words = ("-m", "ledger.commits", str(SEED), str(TRIES), str(any_site.port))
    done = report(any_site.call(*words, timeout=200, env={"TASKFLOW_CONNECT_TIMEOUT": "1"}))
    committed = {str(run_id) for (run_id,) in any_site.rows("SELECT run_id FROM ledger_order")}
    rolled_back = cast("list[str]", done["rolled_back"])
    assert len(committed) > TRIES / 4, "too few were committed for the test to mean something"
    assert len(rolled_back) > TRIES / 4, "too few were rolled back"

    def is_done() -> bool:
        return len(any_site.rows("SELECT id FROM ledger_effect")) >= len(committed)

    wait_until(is_done, "all committed runs to be executed", timeout=60)
    effects = Counter(str(run_id) for (run_id,) in any_site.rows("SELECT run_id FROM ledger_effect"))
    assert effects == Counter(committed), "each committed run once, and no other"
    assert not any_site.rows("SELECT name FROM ledger_effect WHERE NOT saw_order"), (
        "no run started before its row was there"
    )
