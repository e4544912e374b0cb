"""The ledger of an outbox: what workers make of the entries that killed processes have left."""

import sqlite3
from collections import Counter

from tests.support.django_site import DjangoSite
from tests.support.waiting import wait_until


def change(site: DjangoSite, statement: str, *values: str) -> None:
    """Execute a statement in the database of a site."""
    with sqlite3.connect(site.folder / "site.sqlite3", timeout=20) as connection:
        connection.execute(statement, values)
    connection.close()


def assert_each_runs_once(site: DjangoSite, entries: str, effects: str, committed: "Counter[str]") -> None:
    """Start a node, and wait until all entries were tried and each committed run has had its effect, once.

    Args:
        entries: The table of the outbox.
        effects: The table in which each run writes its id.
        committed: The ids of the runs whose transactions were committed.
    """
    change(site, f"UPDATE {entries} SET created = '2020-01-01 00:00:00.000000'")  # older than any grace
    site.start_node("process")

    def are_tried() -> bool:
        return not site.rows(f"SELECT id FROM {entries} WHERE attempts = 0")

    wait_until(are_tried, "all entries to be tried", timeout=30)

    def have_effects() -> bool:
        return len(site.rows(f"SELECT id FROM {effects}")) >= len(committed)

    wait_until(have_effects, "all committed runs to be executed", timeout=30)
    assert Counter(str(run_id) for (run_id,) in site.rows(f"SELECT run_id FROM {effects}")) == committed
