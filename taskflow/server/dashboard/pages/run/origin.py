"""The origin of a run in words, with a link: its parent, a replay, schedule, delivery, API key, or person."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from markupsafe import Markup

from taskflow.engine.engine import Engine
from taskflow.models import Run
from taskflow.server.dashboard.shared_reads import shared
from taskflow.server.dashboard.view.instants import clock_time
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.statuses import short_id
from taskflow.texts import visible

_KEYS_KEPT_SECONDS: Final = 60.0
"""Names of keys are read once in this time."""
_LINK: Final = Markup('{} <a class="mono" href="{}" title="{}">{}</a>')


async def origin_of(engine: Engine, run: Run) -> Markup:
    """Return the origin of a run as its page shows it."""
    kind, _, name = (run.triggered_by or "").partition(" ")
    if kind == "key":
        name = f"{name} {await _key_name(engine, name)}"
    return Markup(" ").join(_parts(run, kind, name)) or Markup("a test" if run.is_test else "code")


def _parts(run: Run, kind: str, name: str) -> Iterator[Markup]:
    if run.replay_of:
        yield _LINK.format("replay of", url("runs", run.replay_of), run.replay_of, short_id(run.replay_of))
    elif run.parent_id:
        yield _LINK.format("run", url("runs", run.parent_id), run.parent_id, short_id(run.parent_id))
    elif run.schedule_id:
        yield _LINK.format("schedule", url("schedules", run.schedule_id), run.schedule_id, short_id(run.schedule_id))
    by = Markup("by ") if run.replay_of or run.schedule_id else Markup("")
    match kind:
        case "tick":
            yield Markup("for {}").format(_instant(name))
        case "delivery":
            yield _LINK.format("delivery", url("webhooks", "deliveries", name), name, short_id(name))
        case "key":
            key_id, _, key_name = name.partition(" ")
            yield by + Markup('API key <a href="{}" title="{}">{}</a>').format(
                url("keys"), key_id, visible(key_name) or key_id
            )
        case "token":
            yield by + Markup("a public token")
        case "user":
            yield by + Markup("<b>{}</b>").format(visible(name))
        case "bulk":
            yield by + Markup("<b>{}</b>, with others").format(visible(name))
        case "cli":
            yield by + Markup("{}, at the command line").format(visible(name))
        case "mcp":
            yield by + Markup("{}, through an assistant").format(visible(name))
        case _:
            pass


def _instant(text: str) -> Markup | str:
    try:
        return clock_time(datetime.fromisoformat(text))
    except ValueError:
        return visible(text)


async def _key_name(engine: Engine, key_id: str) -> str:
    """Return the name of an API key, "" for one that was revoked."""
    keys = await shared(engine, "api keys", _KEYS_KEPT_SECONDS, lambda: asyncio.to_thread(engine.api_keys.list))
    return next((key.name for key in keys if key.id == key_id), "")
