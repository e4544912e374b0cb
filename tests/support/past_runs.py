"""Runs of the past in an environment's history, for tests of pages."""

from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.definition.documents.hiding import Hiding
from taskflow.history.database import Database, database_url
from taskflow.history.rows import rows_of
from taskflow.history.writer import RowBatch, Writer
from taskflow.models import RunError
from taskflow.store.operations.encoding import error_json
from tests.history.conftest import a_record
from tests.support.dashboard import Dashboard

HOSTILE: Final = "<script>alert(1)</script>"


def keep_runs(
    shop: Dashboard,
    task_id: str,
    *,
    completed: int = 0,
    failed: int = 0,
    message: str = "boom",
    payload: str = "null",
    output: str = "null",
) -> None:
    """Write runs that ended an hour ago into the history, as its feed does."""
    settings = shop.flow.settings
    url = database_url(settings)
    assert url is not None
    database = Database(url)
    database.prepare()
    writer = Writer(database, settings.environment)
    writer.set_position(0, 0, is_complete=True)
    at = round((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
    times = {"created": at - 3000, "started": at - 2000, "attempt_started": at - 2000, "finished": at}
    fields = {name: str(ms) for name, ms in times.items()} | {"task": task_id, "version": "v7"}
    fields |= {"payload": payload, "output": output}
    error = error_json(RunError("Boom", message, 'File "/app/shop/mail.py", line 3, in send'))
    bad = fields | {"status": "FAILED", "error": error}
    records = [*(fields for _ in range(completed)), *(bad for _ in range(failed))]
    hiding = Hiding.of(settings.redact)
    name = "".join(each for each in task_id if each.isalnum())
    rows = [
        rows_of(settings.environment, f"run_{name}{number:08x}", 1, a_record(**record), hiding)
        for number, record in enumerate(records)
    ]
    writer.write(RowBatch(rows), 0)
    database.close()
