"""API keys: which there are, a new one shown once, and revoking."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from starlette.responses import Response

from taskflow.definition.calls.users import Role
from taskflow.errors import DefinitionError
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.visit import Visit

_LIVES: Final = (("", "Never"), ("30d", "After 30 days"), ("90d", "After 90 days"), ("365d", "After a year"))
_RIGHTS: Final = (("", "Everything"), ("1", "Only read"))
_LONG_UNUSED: Final = timedelta(days=30)
_FIELDS: Final = ("name", "expires", "rate_limit")


async def show(visit: Visit) -> Response:
    """Show the keys."""
    return visit.render("keys.html", 200, **await _listed(visit), made="", made_name="")


async def new(visit: Visit) -> Response:
    """Show the form of a new key."""
    return _form(visit, {}, {})


async def create(visit: Visit) -> Response:
    """Make a key, and show it this once."""
    form, name = visit.form, visit.form.get("name", "").strip()
    make = partial(
        visit.engine.api_keys.create,
        name,
        expires=form.get("expires") or None,
        is_read_only=bool(form.get("read_only")),
        rate_limit=form.get("rate_limit", "").strip() or None,
    )
    try:
        key_id, key = await asyncio.to_thread(make)
    except DefinitionError as wrong:
        field = wrong.option if wrong.option in _FIELDS else ""
        return _form(visit, form, {field or "": str(wrong)})
    visit.audit("key.create", key_id)
    return visit.render("keys.html", 200, **await _listed(visit), made=key, made_name=name)


async def revoke(visit: Visit) -> Response:
    """Revoke a key, with the public tokens that it has made."""
    key_id = visit.path["key_id"]
    await asyncio.to_thread(visit.engine.api_keys.revoke, key_id)
    visit.audit("key.revoke", key_id)
    listed = await _listed(visit)
    return visit.parts("keys.html", "rows", toast="Key revoked", detail="Requests with it are refused.", **listed)


async def _listed(visit: Visit) -> dict[str, object]:
    keys = await asyncio.to_thread(visit.engine.api_keys.list)
    now = datetime.now(UTC)
    unused = {key.id for key in keys if now - (key.last_used_at or key.created_at) > _LONG_UNUSED}
    expired = {key.id for key in keys if key.expires_at and key.expires_at <= now}
    return {"keys": keys, "unused": unused, "expired": expired}


def _form(visit: Visit, values: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    status = 422 if errors else 200
    return visit.render("keys_new.html", status, values=values, errors=errors, lives=_LIVES, rights=_RIGHTS)


PAGES: Final = (
    Page("keys", show),
    action("keys", create, Role.ADMIN),
    Page("keys/new", new, Role.ADMIN),
    action("keys/{key_id}/revoke", revoke, Role.ADMIN),
)
