"""The pages of alerts: rules, their tests and what they have sent."""

import re
from typing import Any

from tests.support.dashboard import Dashboard
from tests.support.past_runs import HOSTILE, keep_runs
from tests.support.receivers import http_receiver


async def test_a_rule_is_made_tested_switched_and_deleted(shop: Dashboard) -> None:
    """All by a browser, and each action is kept."""
    keep_runs(shop, "mail-send", failed=1)
    admin = await shop.visitor("admin")
    assert "No alerts yet" in (await admin.get("alerts")).text
    assert "New error" in (await admin.get("alerts/new")).text
    with http_receiver() as received:
        made = await admin.post(
            "alerts",
            kind="queue_oldest",
            channel="webhook",
            address=received.url,
            names=f"mail, {HOSTILE}",
            threshold="90",
        )
        assert made.status_code == 303
        rule = made.headers["location"].rpartition("/")[2]
        page = (await admin.get(f"alerts/{rule}")).text
        assert "Oldest in queue over 1\u00a0m\u00a030\u00a0s" in page
        assert HOSTILE not in page
        assert "whsec_" in page
        answer = (await admin.post(f"alerts/{rule}/test")).text
        assert "200 thanks" in answer
        received.status = 500
        assert "has not taken the test" in (await admin.post(f"alerts/{rule}/test")).text
    assert len(received.bodies) == 2
    listing = (await admin.get("alerts")).text
    assert 'Oldest in queue over 1\u00a0m\u00a030\u00a0s is on" checked' in listing
    assert f'/alerts/{rule}/test"' in listing
    assert 'role="switch"' not in (await (await shop.visitor("viewer")).get("alerts")).text
    await admin.post(f"alerts/{rule}/switch", on="")
    assert "switched off by admin" in (await admin.get("alerts")).text
    await admin.post(f"alerts/{rule}/delete")
    assert (await admin.get(f"alerts/{rule}")).status_code == 404
    kept = [entry.action for entry in shop.flow.engine.audit.list(action="alert", target=rule)]
    assert kept == ["alert.delete", "alert.off", "alert.test", "alert.test", "alert.create"]


async def test_a_wrong_field_is_shown_at_its_place(shop: Dashboard) -> None:
    """Nothing is made."""
    admin = await shop.visitor("admin")
    for wrong in ({"address": "nonsense"}, {"threshold": "soon"}, {"kind": "x"}, {"channel": "fax"}):
        fields: dict[str, Any] = {"kind": "queue_oldest", "channel": "webhook", "address": "https://host/x", **wrong}
        answer = await admin.post("alerts", **fields)
        assert answer.status_code == 422, wrong
    assert not shop.flow.engine.alerts.list()


async def test_only_an_admin_sees_addresses_and_secrets(shop: Dashboard) -> None:
    """The address of a chat's webhook is itself a secret."""
    rule = shop.flow.engine.alerts.create("run_failed", "webhook", "https://hooks.example/services/T02/secret")
    viewer = await shop.visitor("viewer")
    for path in ("alerts", f"alerts/{rule.id}"):
        page = (await viewer.get(path)).text
        assert "T02/secret" not in page
        assert not re.search("whsec_", page)
        assert "hooks.example" in page


async def test_without_a_history_the_page_says_so(dashboard: Dashboard) -> None:
    """Rules are kept there."""
    assert "There is no history" in (await (await dashboard.visitor("viewer")).get("alerts")).text
