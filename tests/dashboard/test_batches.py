"""The pages of batches: whether one is through, what failed, and what is done about it."""

import re
from datetime import timedelta

import pytest

from taskflow.models import BatchError, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.batches import write_batch
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.wire import new_batch_id, new_run_id
from tests.support.dashboard import Dashboard, Visitor
from tests.support.waiting import await_until

HOSTILE = "<script>alert(1)</script>"


def make_batch(dashboard: Dashboard, completed: int, failed: int, queued: int, refused: int = 0, key: str = "") -> str:
    """Make a batch of runs that have ended in these ways."""
    run, batch_id = dashboard.flow.store.run, new_batch_id("", 1)
    lease = timedelta(hours=1)
    run(operations.nodes.register_node("n1", lease=lease, queues=[], capacity=1, classes=[], description={}))
    ids: list[str] = []
    for number in range(completed + failed + queued):
        new = NewRun(new_run_id(0), "db-task", b"1", None, "task/db-task", "small-1x.process", 1, batch_id=batch_id)
        run_id = run(trigger_run(new))[0]
        ids.append(run_id)
        if number < completed + failed:
            claimed = run(operations.runs.claim_run(run_id, node_id="n1", reservation=1))
            error = None if number < completed else RunError("Boom", f"{HOSTILE} broke")
            status = RunStatus.FAILED if error else RunStatus.COMPLETED
            run(operations.runs.finish_run(run_id, claimed.claim, status, output=b"1", error=error))
    errors = [BatchError(len(ids) + index, "db-task", "PayloadError", f"{HOSTILE} {index}") for index in range(refused)]
    run(write_batch(batch_id, 0, ids, errors, count=len(ids) + refused, key=key))
    return batch_id


@pytest.fixture
def batches(dashboard: Dashboard) -> tuple[Dashboard, str, str]:
    """One batch that is through, and one with failures, refused items and runs that wait."""
    return dashboard, make_batch(dashboard, 2, 0, 0), make_batch(dashboard, 1, 1, 2, refused=3, key=HOSTILE)


def words(text: str) -> str:
    """Return a page's text without its elements."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


async def test_batches_are_listed_newest_first_with_what_failed(batches: tuple[Dashboard, str, str]) -> None:
    dashboard, through, mixed = batches
    viewer = await dashboard.visitor("viewer")
    page = await viewer.get("batches")
    assert page.status_code == 200
    assert page.text.index(mixed) < page.text.index(through)
    assert HOSTILE not in page.text
    text = words(page.text)
    assert re.search(r"Partial, 3 refused 50 % 4 1 ", text), text
    assert re.search(r"Completed 100 % 2 0 ", text), text
    failed = (await viewer.get("batches", view="failed")).text
    assert mixed in failed
    assert through not in failed
    assert through not in (await viewer.get("batches", view="live")).text
    assert "No batch matches" in (await viewer.get("batches", q="nothing like this")).text
    assert (await viewer.get("batches", q=through)).headers["location"].endswith(through)


async def test_pages_of_batches_have_each_once(dashboard: Dashboard) -> None:
    """Also those of one millisecond."""
    made = [make_batch(dashboard, 0, 0, 1) for _ in range(23)]
    viewer = await dashboard.visitor("viewer")
    first = (await viewer.get("batches")).text
    [cursor] = set(re.findall(r"cursor=([^\"&]+)", first))
    second = (await viewer.get("batches", cursor=cursor.replace("+", " "))).text
    found = [set(re.findall(r'id="(batch_[0-9a-f]+)"', text)) for text in (first, second)]
    assert (len(found[0]), len(found[1])) == (20, 3)
    assert found[0] | found[1] == set(made)
    for odd in ("x", "9" * 30, f"12 {HOSTILE}", "-1 a"):
        assert (await viewer.get("batches", cursor=odd)).status_code == 200


async def test_one_batch_shows_its_runs_and_refused_items(batches: tuple[Dashboard, str, str]) -> None:
    dashboard, _, mixed = batches
    viewer = await dashboard.visitor("viewer")
    page = await viewer.get(f"batches/{mixed}")
    text = words(page.text)
    assert "Ended 2 of 4 runs" in text
    assert "3 items were refused" in text
    assert "4 db-task PayloadError" in text
    assert HOSTILE not in page.text
    assert page.text.count('data-status="QUEUED"') >= 2
    assert "Cancel the rest" not in page.text
    for odd in ("batch_" + "0" * 33, "none", "%ED%A0%80"):
        assert (await viewer.get(f"batches/{odd}")).status_code == 404


async def ended(visitor: Visitor, batch_id: str) -> str:
    """Return the text of a batch's page, when its runs have ended."""
    return words((await visitor.get(f"batches/{batch_id}")).text)


async def test_the_rest_of_a_batch_is_canceled_and_failed_runs_are_replayed(
    batches: tuple[Dashboard, str, str],
) -> None:
    dashboard, _, mixed = batches
    operator = await dashboard.visitor("operator")
    question = words((await operator.get("batches-act", batch=mixed, kind="cancel")).text)
    assert "Cancel 2 runs?" in question
    assert "2 runs of the batch have ended and stay as they are." in question
    answer = await operator.post("batches-act", htmx=True, batch=mixed, kind="cancel", reason="no need")
    assert "2 runs are being canceled" in answer.text
    retrieve = dashboard.flow.engine.batches.aretrieve

    async def is_canceled() -> bool:
        return (await retrieve(mixed)).progress.canceled == 2

    await await_until(is_canceled, "the runs to be canceled")
    answer = await operator.post("batches-act", htmx=True, batch=mixed, kind="replay")
    assert "1 run is being replayed" in answer.text

    async def is_replayed() -> bool:
        overview = await dashboard.flow.engine.queues.aretrieve("task/db-task")
        return overview.queued + overview.pending_version == 1

    await await_until(is_replayed, "the replay")
    assert (await operator.post("batches-act", batch=mixed, kind="drop")).status_code == 400
    viewer = await dashboard.visitor("viewer")
    assert (await viewer.post("batches-act", batch=mixed, kind="cancel")).status_code == 403


async def test_without_batches_the_page_shows_how_to_make_one(dashboard: Dashboard) -> None:
    page = await (await dashboard.visitor("viewer")).get("batches")
    assert "No batches yet" in page.text
    assert "batch_trigger" in page.text
