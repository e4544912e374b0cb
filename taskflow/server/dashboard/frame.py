"""The frame's changing parts: counts beside the navigation, health of store and history, and the banner above the head.

They are read once for all pages that are open.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

from taskflow.engine.engine import Engine
from taskflow.engine.insights.health import Health
from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.models import QueueState
from taskflow.server.dashboard.rendering import render
from taskflow.server.dashboard.shared_reads import shared
from taskflow.server.dashboard.view.durations import NO_BREAK, whole_duration

_MAX_AGE: Final = 4.5
"""Pages ask every five seconds."""
_LATE: Final = timedelta(seconds=60)
_NEW: Final = timedelta(hours=24)
_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Times are shown in steps, so that open pages get a message only when one has changed much."""
Counts = dict[str, tuple[str, str]]
"""Of each section the text of its count, "" for none, and its tone."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The changing parts.

    Attributes:
        environment: Its pause; None when the store did not answer.
        lost_at: Since when the store does not answer.
        behind: How far the history is behind, if that is too much; else None.
    """

    counts: Counts = field(default_factory=dict[str, tuple[str, str]])
    environment: QueueState | None = None
    lost_at: datetime | None = None
    behind: timedelta | None = None
    store_text: str = ""
    history_text: str = ""


_LOST: Final[WeakKeyDictionary[Engine, datetime]] = WeakKeyDictionary()


async def read_frame(engine: Engine) -> Frame:
    """Return the frame's parts, as they were some seconds ago at most."""
    return await shared(engine, "frame", _MAX_AGE, lambda: _read(engine))


async def _read(engine: Engine) -> Frame:
    health = await asyncio.to_thread(engine.health.read)
    try:
        if health.store is not None:
            environment = await engine.queues.aenvironment()
            counts = await _counts(engine, environment)
            _LOST.pop(engine, None)
            behind = health.behind if health.behind > _LATE else None
            return Frame(counts, environment, None, behind, _store_text(health.store), _history_text(health))
    except StoreUnavailableError:
        pass
    return Frame(lost_at=_LOST.setdefault(engine, datetime.now(UTC)), store_text="no answer")


async def _counts(engine: Engine, environment: QueueState) -> Counts:
    queues, reports, new, (tokens, are_more) = await asyncio.gather(
        engine.queues.alist(),
        engine.nodes.areports(),
        asyncio.to_thread(_new_errors, engine),
        engine.tokens.acount_waiting(),
    )
    paused, nodes = sum(queue.is_paused for queue in queues), len(reports.nodes)
    running = sum(queue.running for queue in queues)
    return {
        "runs": (f"{running:,}" if running else "", ""),
        "tokens": (f"{tokens}{'+' if are_more else ''}" if tokens else "", "violet"),
        "errors": (f"{new} new" if new else "", "red"),
        "queues": ("paused" if environment.is_paused else f"{paused} paused" if paused else "", "amber"),
        "workers": (f"{nodes:,}", "") if nodes else ("none", "amber"),
    }


def _new_errors(engine: Engine) -> int:
    try:
        return engine.errors.count_new(datetime.now(UTC) - _NEW)
    except HistoryUnavailableError:
        return 0


def _store_text(took: timedelta) -> str:
    ms = took.total_seconds() * 1000
    return f"<1{NO_BREAK}ms" if ms < 1 else f"{_step(ms):,}{NO_BREAK}ms"


def _history_text(health: Health) -> str:
    if not health.has_history:
        return "none"
    seconds = health.behind.total_seconds()
    return "up to date" if seconds < 1 else f"{whole_duration(timedelta(seconds=_step(seconds)))} behind"


def _step(value: float) -> int:
    return max([each for each in _STEPS if each <= value], default=0)


def frame_parts(frame: Frame) -> str:
    """Return the frame as parts that htmx puts into pages."""
    return render("frame.html", {"frame": frame})
