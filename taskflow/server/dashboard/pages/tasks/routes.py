"""The lines of the table of pages that are about tasks."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from taskflow.engine.engine import Engine
from taskflow.server.dashboard.live.polled import polled
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.pages.tasks import listing, one

_BARS_SECONDS: Final = 60
"""The bars of the list are as old as this at most."""


async def _read(engine: Engine) -> Sequence[object]:
    """Return the registered tasks, and how many runs of each have not ended; and the minute."""
    records, unserved = await asyncio.gather(engine.nodes.atasks(), engine.nodes.aunserved())
    live = await asyncio.to_thread(engine.activity.live)
    counts: Mapping[str, int] = {f"{task_id} {status}": count for (task_id, status), count in live.items()}
    return records, unserved.tasks, counts, int(time.time() // _BARS_SECONDS)


TOPIC: Final = polled("tasks", timedelta(seconds=5), _read)
"""The list loads again when the runs that have not ended are others, and once a minute."""

PAGES: Final = (Page("tasks", listing.show), Page("tasks/{task_id:path}", one.show))
