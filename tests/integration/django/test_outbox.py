"""The outbox of a site: a killed process takes no committed trigger with it."""

import random
from collections import Counter

from tests.support.django_site import DjangoSite
from tests.support.outboxes import assert_each_runs_once, change
from tests.support.waiting import wait_until

TRIES = 50
SEED = random.randrange(1_000_000)


def test_a_committed_trigger_outlives_its_process(site: DjangoSite) -> None:
    """Killed in the block, after the commit, or when the run is made already: each committed run happens once."""
    print(f"seed {SEED}")
    site.variables["TASKFLOW_OUTBOX"] = "true"
    site.call("-m", "ledger.kills", str(SEED), str(TRIES), timeout=100)
    committed = Counter(str(run_id) for (run_id,) in site.rows("SELECT run_id FROM ledger_order"))
    assert len(committed) >= TRIES * 3 // 5, "four of five places are after the commit"
    entries = site.rows("SELECT id, created FROM taskflow_outboxentry")
    assert len(entries) == TRIES * 3 // 5, "three places leave an entry"
    assert_each_runs_once(site, "taskflow_outboxentry", "ledger_effect", committed)


def test_an_entry_that_no_version_understands_stays_and_its_values_are_not_logged(site: DjangoSite) -> None:
    """It is tried ten times at most, and the others are not held up by it."""
    site.variables["TASKFLOW_OUTBOX"] = "true"
    insert = (
        "INSERT INTO taskflow_outboxentry VALUES ('run_wrong', '{\"items\": [\"top secret\"]}', '2020-01-01', 0, '')"
    )
    change(site, insert)
    site.start_node("process")

    def is_tried() -> bool:
        return bool(site.rows("SELECT id FROM taskflow_outboxentry WHERE attempts > 0"))

    wait_until(is_tried, "the entry to be tried", timeout=30)
    ((error,),) = site.rows("SELECT error FROM taskflow_outboxentry")
    assert "no planned trigger" in str(error)
    log = site.log("process").read_text()
    assert "outbox.failed" in log
    assert "top secret" not in log + str(error)


def test_a_trigger_says_that_the_table_is_missing(site: DjangoSite) -> None:
    """The transaction fails, as nothing else would be safe."""
    change(site, "DROP TABLE taskflow_outboxentry")
    site.variables["TASKFLOW_OUTBOX"] = "true"
    code = (
        "import django; django.setup()\n"
        "from django.db import transaction\n"
        "from ledger.tasks import OrderPayload, process\n"
        "with transaction.atomic():\n"
        "    process.trigger(OrderPayload(name='x'))\n"
    )
    told = site.call("-c", code, check=False, env={"DJANGO_SETTINGS_MODULE": "mysite.settings"})
    assert told.startswith("1\n")
    assert "manage.py migrate taskflow --database default" in told


def test_an_entry_that_can_not_be_deleted_is_left_to_a_worker(site: DjangoSite) -> None:
    """The run is made, so that nothing is raised and nothing is called lost: also with a connection that is closed."""
    site.variables["TASKFLOW_OUTBOX"] = "true"
    code = (
        "import django; django.setup()\n"
        "from django.db import InterfaceError, transaction\n"
        "from ledger.tasks import OrderPayload, process\n"
        "from taskflow.contrib.django import outbox\n"
        "def closed(*_): raise InterfaceError('connection already closed')\n"
        "outbox._Table.delete = closed\n"
        "with transaction.atomic():\n"
        "    handle = process.trigger(OrderPayload(name='x'))\n"
        "print(handle.status())\n"
    )
    told = site.call("-c", code, check=False, env={"DJANGO_SETTINGS_MODULE": "mysite.settings"})
    assert told.startswith("0\nPENDING_VERSION"), told  # it is made, and no worker is there
    assert "trigger." not in told
    assert len(site.rows("SELECT id FROM taskflow_outboxentry")) == 1
