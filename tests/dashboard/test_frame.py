"""The frame around every page: one banner at a time, the health of store and history, counts beside the navigation."""

import re
import time

import pytest

from taskflow.server.dashboard.frame import frame_parts, read_frame
from taskflow.server.dashboard.live.nav import TOPIC
from taskflow.server.dashboard.live.topic import Follower
from taskflow.server.dashboard.shared_reads import forget_reads
from taskflow.server.dashboard.view.reader import READER, Reader
from taskflow.store.events import EventGroup
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.past_runs import keep_runs
from tests.support.servers import RedisServer

HOSTILE = "<script>alert(1)</script>"


def words(text: str) -> str:
    """Return a page's text without its elements."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def fall_behind(dashboard: Dashboard, seconds: int) -> None:
    """Have a history that lacks an event of some time ago, the first one of its stream."""
    store = dashboard.flow.store
    at = round((time.time() - seconds) * 1000)
    key = f"{store.config.base(0)}:events"
    store.send([("XADD", key, f"{at}-0", "run", "run_1", "kind", "log", "value", "{}")])
    EventGroup(store, 0).create()


async def test_a_paused_environment_is_named_above_every_page(dashboard: Dashboard) -> None:
    """With who, since when and why, in the answer to the pause, too; it is gone once it is resumed."""
    operator = await dashboard.visitor("operator")
    assert 'class="banner"' not in (await operator.get("runs")).text
    answer = await operator.post("queues-pause", htmx=True, queue="", reason=HOSTILE)
    assert 'hx-target="#banner"' in answer.text
    for path in ("runs", "queues", "schedules", "webhooks/sources"):
        text = (await (await dashboard.visitor("viewer")).get(path)).text
        assert HOSTILE not in text
        assert text.count('class="banner"') == 1
        assert f"{dashboard.flow.settings.environment} is paused by operator since" in words(text)
        assert "&lt;script&gt;" in text
    await operator.post("queues-resume", htmx=True, queue="")
    assert 'class="banner"' not in (await operator.get("runs")).text


async def test_a_history_that_is_late_is_named_after_a_pause(shop: Dashboard) -> None:
    """One banner at a time: that of the pause is the graver one."""
    fall_behind(shop, 150)
    viewer, operator = await shop.visitor("viewer"), await shop.visitor("operator")
    text = (await viewer.get("runs")).text
    assert re.search(r"The history is 2\s*m\s*3\d\s*s behind", words(text))
    assert re.search(r"History 1\s*m\s*40\s*s behind", words(text))
    await operator.post("queues-pause", htmx=True, queue="")
    text = (await viewer.get("runs")).text
    assert text.count('class="banner"') == 1
    assert "is paused" in text


async def test_a_history_that_is_a_little_late_is_shown_in_the_side_bar_only(shop: Dashboard) -> None:
    """That happens all the time."""
    fall_behind(shop, 12)
    text = (await (await shop.visitor("viewer")).get("runs")).text
    assert 'class="banner"' not in text
    assert re.search(r"History 10\s*s behind", words(text))


@pytest.mark.timeout(60)
async def test_open_pages_get_word_of_a_store_that_does_not_answer(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Its banner comes first, whatever else is true; it goes when the store is there again."""
    dashboard = Dashboard(start_fleet(valkey.url).flow)
    engine, reader = dashboard.flow.engine, READER.set(Reader("", "shop"))
    try:
        await engine.queues.acontrol_environment("pause")
        frame = await read_frame(engine)
        assert frame.lost_at is None
        valkey.stop()
        forget_reads(engine)
        lost = await read_frame(engine)
        parts = frame_parts(lost)
        assert parts.count('class="banner"') == 1
        assert "The store does not answer since" in words(parts)
        assert "#nav-runs" not in parts, "the last counts stay"
        valkey.start()
        forget_reads(engine)
        assert (await read_frame(engine)).lost_at is None
    finally:
        READER.reset(reader)


async def test_counts_stand_beside_the_navigation_from_the_first_page_on(shop: Dashboard) -> None:
    """Without script, they are as old as the page."""
    keep_runs(shop, "frame-mail", failed=2)
    text = (await (await shop.visitor("viewer")).get("tasks")).text
    assert '<span class="n" id="nav-errors" data-tone="red">1 new</span>' in text
    assert '<span class="n" id="nav-workers" data-tone="amber">none</span>' in text
    follow = TOPIC.follow(Follower(shop.flow.engine, ""))
    message = await anext(follow)
    await follow.aclose()
    assert "1 new" in message.parts
    assert 'hx-target="#health"' in message.parts


async def test_rows_are_as_high_as_the_reader_wants_them(dashboard: Dashboard) -> None:
    """The server writes it, so that nothing moves once the page is there. What else a cookie says is nothing."""
    viewer = await dashboard.visitor("viewer")
    assert "data-density=" not in (await viewer.get("runs")).text.partition("<head>")[0]
    viewer.client.cookies["density"] = "compact"
    text = (await viewer.get("runs")).text
    assert '<html lang="en" data-density="compact">' in text
    assert "data-density-switch checked" in text
    viewer.client.cookies["density"] = "huge"
    assert "data-density=" not in (await viewer.get("runs")).text.partition("<head>")[0]
