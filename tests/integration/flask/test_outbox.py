"""The outbox of a program with SQLAlchemy: a killed process takes no committed trigger with it."""

import random
from collections import Counter

from tests.support.flask_site import FlaskSite
from tests.support.outboxes import assert_each_runs_once, change

TRIES = 50
SEED = random.randrange(1_000_000)


def test_a_committed_trigger_outlives_its_process(site: FlaskSite) -> None:
    """Killed in the transaction, after it, or when the run is made already: each committed run happens once."""
    print(f"seed {SEED}")
    site.variables["SITE_OUTBOX"] = "1"
    site.call("-m", "tests.projects.flask_site.kills", str(SEED), str(TRIES), timeout=100)
    committed = Counter(str(run_id) for (run_id,) in site.rows("SELECT run_id FROM orders"))
    assert len(committed) >= TRIES * 4 // 5, "four of five places are after the commit"
    assert len(site.rows("SELECT id FROM taskflow_outbox")) == TRIES * 3 // 5, "three of them leave an entry"
    wrong = ("run_wrong", '{"items": ["top secret"]}', "2020-01-01 00:00:00.000000")
    change(site, "INSERT INTO taskflow_outbox VALUES (?, ?, ?, 0, '')", *wrong)
    assert_each_runs_once(site, "taskflow_outbox", "effects", committed)
    ((entry_id, error),) = site.rows("SELECT id, error FROM taskflow_outbox")
    assert entry_id == "run_wrong"
    assert "no planned trigger" in str(error)
    assert "top secret" not in site.log("process").read_text()
