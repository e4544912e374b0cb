"""The pages of tasks: counts of the history, what workers have registered, and what waits for none."""

import pytest

from taskflow.definition.queue import QueueLimits
from taskflow.server.dashboard.shared_reads import forget_reads
from taskflow.store.operations.making import declare
from tests.dashboard.test_queues import trigger
from tests.support.dashboard import Dashboard
from tests.support.past_runs import HOSTILE, keep_runs


async def test_the_list_shows_what_the_history_counts(shop: Dashboard) -> None:
    """A task that no worker has any more is still a task whose runs failed."""
    keep_runs(shop, "mail-send", completed=3, failed=1)
    viewer = await shop.visitor("viewer")
    page = (await viewer.get("tasks")).text
    assert "mail-send" in page
    assert "25.0\u00a0%" in page
    assert "mail-send" not in (await viewer.get("tasks", q="other")).text
    part = (await viewer.get("tasks", part="div#list", sort="-failed")).text
    assert part.lstrip().startswith('<div id="list"')


async def test_the_list_says_how_long_the_oldest_run_is_queued(shop: Dashboard) -> None:
    """In all queues; there is none when none is queued."""
    viewer = await shop.visitor("viewer")
    keep_runs(shop, "mail-send", completed=1)
    assert "<dt>Oldest in a queue</dt><dd>\N{EN DASH}</dd>" in (await viewer.get("tasks")).text
    shop.flow.store.run(declare({}, {"invoices": QueueLimits(1)}, by_worker=True))
    trigger(shop, "invoices", QueueLimits(1))
    forget_reads(shop.flow.engine)
    assert '<dt>Oldest in a queue</dt><dd><time data-time="running"' in (await viewer.get("tasks")).text


async def test_runs_that_only_the_history_has_are_not_said_to_have_returned_nothing(shop: Dashboard) -> None:
    """Lists of the history have short outputs only."""
    keep_runs(shop, "page-count", completed=1, output='{"pages": 7}')
    keep_runs(shop, "page-list", completed=1, output=f'"{"x" * 5000}"')
    viewer = await shop.visitor("viewer")
    for path in ("runs", "tasks/page-count"):
        assert "{&#34;pages&#34;:7}" in (await viewer.get(path)).text
    for path in ("runs", "tasks/page-list"):
        page = (await viewer.get(path)).text
        assert "page-list" in page
        assert "Returned nothing" not in page


async def test_one_task_has_charts_and_their_numbers_as_a_table(shop: Dashboard) -> None:
    """A chart alone says nothing to who cannot see it."""
    keep_runs(shop, "mail-send", completed=3, failed=1)
    viewer = await shop.visitor("viewer")
    page = (await viewer.get("tasks/mail-send")).text
    assert 'data-chart="runs"' in page
    assert "Show as table" in page
    assert "<dt>Ended an hour</dt><dd>0.2</dd>" in page
    hour = (await viewer.get("tasks/mail-send", period="1h")).text
    assert "<dt>Ended an hour</dt><dd>" in hour
    assert "No worker has registered it." in page
    assert "Schema of the payload" in (await viewer.get("tasks/mail-send", tab="schema")).text


async def test_an_id_with_a_slash_and_markup_is_a_task_like_others(shop: Dashboard) -> None:
    """Ids are a user's texts."""
    keep_runs(shop, f"a/{HOSTILE}", failed=2, message=HOSTILE)
    viewer = await shop.visitor("viewer")
    listing = (await viewer.get("tasks")).text
    assert HOSTILE not in listing
    assert "a%2F%3Cscript%3E" in listing
    page = await viewer.get("tasks/a%2F%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert page.status_code == 200
    assert HOSTILE not in page.text


async def test_an_unknown_task_is_not_found(shop: Dashboard) -> None:
    """A mistyped address says so."""
    answer = await (await shop.visitor("viewer")).get("tasks/none-such")
    assert answer.status_code == 404
    assert "no run of it is known" in answer.text


@pytest.mark.parametrize("sort", ["task", "-task", "runs", "-failed", "-median", "-p95", "-now", "nonsense", "-"])
async def test_every_order_is_an_answer(shop: Dashboard, sort: str) -> None:
    """An address may be typed by hand."""
    keep_runs(shop, "mail-send", completed=1)
    for period in ("1h", "24h", "7d", "nonsense"):
        answer = await (await shop.visitor("viewer")).get("tasks", sort=sort, period=period)
        assert answer.status_code == 200
