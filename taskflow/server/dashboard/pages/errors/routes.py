"""The lines of the table of pages that are about errors."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from taskflow.definition.calls.users import Role
from taskflow.engine.engine import Engine
from taskflow.server.dashboard.live.polled import polled
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.errors import actions, listing, one


async def _read(engine: Engine) -> Sequence[int]:
    return await asyncio.to_thread(engine.errors.last_change)


TOPIC: Final = polled("errors", timedelta(seconds=5), _read)
"""The list loads again when an attempt has failed, or somebody has set the state of a group."""

PAGES: Final = (
    Page("errors", listing.show),
    Page("errors/{group_id}", one.show),
    Page("errors/{group_id}/replay", actions.ask_replay, Role.OPERATOR),
    action("errors/{group_id}/replay", actions.replay),
    action("errors/{group_id}/mute", actions.mute),
    action("errors/{group_id}/resolve", actions.resolve),
    action("errors/{group_id}/open", actions.reopen),
)
