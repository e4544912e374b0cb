"""The page of API keys."""

import re

from tests.support.api import Api
from tests.support.dashboard import Dashboard

HOSTILE = '<script>alert(1)</script>" onload="x'
KEY = re.compile(r'<code class="secret">(tr_\w+)</code>')


async def test_a_new_key_is_shown_once_and_works(dashboard: Dashboard) -> None:
    """Nothing can show it again."""
    admin = await dashboard.visitor("admin")
    assert "There is no API key" in (await admin.get("keys")).text
    made = await admin.post("keys", name=HOSTILE, read_only="1", expires="30d", rate_limit="5/m")
    key = KEY.search(made.text)
    assert key
    assert HOSTILE not in made.text
    assert made.headers["cache-control"] == "private, no-store"
    later = (await admin.get("keys")).text
    assert key[1] not in later
    assert "&lt;script&gt;" in later
    [record] = dashboard.flow.engine.api_keys.list()
    assert (record.name, record.is_read_only, record.rate_limit) == (HOSTILE, True, "5/60s")
    assert record.expires_at
    async with Api(dashboard.flow).client(key[1]) as client:
        assert (await client.get("/api/v1/queues")).status_code == 200


async def test_a_key_is_revoked_in_place(dashboard: Dashboard) -> None:
    """The table comes back without it, and the audit has a line."""
    admin = await dashboard.visitor("admin")
    key_id, key = dashboard.flow.engine.api_keys.create("gone")
    answer = await admin.post(f"keys/{key_id}/revoke", htmx=True)
    assert answer.status_code == 200
    assert 'hx-target="#rows"' in answer.text
    assert "Key revoked" in answer.text
    assert "gone" not in answer.text
    async with Api(dashboard.flow).client(key) as client:
        assert (await client.get("/api/v1/queues")).status_code == 401
    again = await admin.post(f"keys/{key_id}/revoke", htmx=True)
    assert again.status_code == 404


async def test_a_wrong_form_comes_back_with_the_reason_at_its_field(dashboard: Dashboard) -> None:
    """What was typed is still there, and no key was made."""
    admin = await dashboard.visitor("admin")
    for fields, field in (
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "shop", "rate_limit": "fast"}, "rate_limit"),
        ({"name": "shop", "expires": "soon"}, "expires"),
    ):
        answer = await admin.post("keys", csrf=None, htmx=False, **fields)
        assert answer.status_code == 422, fields
        assert f'id="e-{field}"' in answer.text, fields
        assert fields["name"] != "shop" or 'value="shop"' in answer.text
    assert not dashboard.flow.engine.api_keys.list()


async def test_who_is_no_admin_sees_keys_without_buttons(dashboard: Dashboard) -> None:
    """A key is worth as much as an admin."""
    dashboard.flow.engine.api_keys.create("shop")
    page = (await (await dashboard.visitor("operator")).get("keys")).text
    assert "shop" in page
    assert "Revoke" not in page
    assert "New key" not in page
