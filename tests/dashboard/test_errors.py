"""The pages of errors: groups, their states, and the replay of the runs that they ended."""

import logging
import re

import pytest

from taskflow.server.dashboard.table import PAGES
from tests.support.dashboard import Dashboard, Visitor
from tests.support.past_runs import HOSTILE, keep_runs


async def group_of(visitor: Visitor) -> str:
    """Return the id of the group that the list shows first."""
    found = re.search(r"/errors/([0-9a-f]{16})", (await visitor.get("errors", view="open")).text)
    assert found
    return found[1]


async def test_failures_are_listed_by_group(shop: Dashboard) -> None:
    """A hundred runs that broke in one way are one line."""
    keep_runs(shop, "mail-send", failed=3, message="no mailbox 17")
    operator = await shop.visitor("operator")
    page = (await operator.get("errors")).text
    assert "no mailbox 17" in page
    assert "mail.py:3 in send" in page
    assert "3 runs failed in" in page
    assert ">new</span>" in page
    assert "Replay 3" in page
    viewer = await shop.visitor("viewer")
    assert "Replay 3" not in (await viewer.get("errors")).text
    assert "no mailbox" not in (await viewer.get("errors", q="other")).text
    assert "no mailbox" not in (await viewer.get("errors", task="other")).text


async def test_one_group_shows_where_and_in_which_versions(shop: Dashboard) -> None:
    """That is where to begin to look."""
    keep_runs(shop, "mail-send", failed=2)
    viewer = await shop.visitor("viewer")
    page = (await viewer.get(f"errors/{await group_of(viewer)}")).text
    for text in ("v7", "mail-send", "line 3, in send", "Runs that it ended"):
        assert text in page
    assert "Replay failed" not in page
    assert (await viewer.get("errors/0123456789abcdef")).status_code == 404


async def test_groups_are_muted_resolved_and_opened(shop: Dashboard, caplog: pytest.LogCaptureFixture) -> None:
    """Each action is kept with its person and its reason."""
    caplog.set_level(logging.INFO, "taskflow.audit")
    keep_runs(shop, "mail-send", failed=2)
    operator = await shop.visitor("operator")
    group = await group_of(operator)
    assert (await operator.post(f"errors/{group}/mute")).status_code == 303
    assert "Muted by operator" in (await operator.get(f"errors/{group}")).text
    assert group in (await operator.get("errors", view="muted")).text
    await operator.post(f"errors/{group}/resolve", version="v8", reason="fixed in v8")
    page = (await operator.get(f"errors/{group}")).text
    assert "Resolved in v8" in page
    assert "fixed in v8" in page
    await operator.post(f"errors/{group}/open")
    assert group in (await operator.get("errors")).text
    kept = shop.flow.engine.audit.list(action="error", target=group)
    assert [(entry.actor, entry.action) for entry in kept] == [
        ("operator", "error.open"),
        ("operator", "error.resolve"),
        ("operator", "error.mute"),
    ]
    assert "error.mute" in caplog.text


async def test_the_runs_of_a_group_are_replayed(shop: Dashboard) -> None:
    """First a question with their number, then new runs."""
    keep_runs(shop, "mail-send", failed=3)
    operator = await shop.visitor("operator")
    group = await group_of(operator)
    assert "Replay 3 runs" in (await operator.get(f"errors/{group}/replay")).text
    assert (await operator.post(f"errors/{group}/replay")).status_code == 303
    made = [run for run in await shop.flow.engine.runs.alist(100) if run.replay_of]
    assert len(made) == 3


async def test_texts_of_errors_are_never_markup(shop: Dashboard) -> None:
    """They are an attacker's as much as a user's."""
    keep_runs(shop, "mail-send", failed=1, message=f"{HOSTILE}\x1b[31m")
    operator = await shop.visitor("operator")
    group = await group_of(operator)
    for path in ("errors", f"errors/{group}", f"errors/{group}/replay"):
        assert HOSTILE not in (await operator.get(path)).text


async def test_without_failures_the_page_says_so(shop: Dashboard) -> None:
    """An empty list could also mean that it is broken."""
    keep_runs(shop, "mail-send", completed=1)
    assert "Nothing failed in" in (await (await shop.visitor("viewer")).get("errors")).text
    assert any(page.path == "errors" for page in PAGES)
