"""Live updates of a run's page: its head and its trace as they change, until the run has ended."""

import asyncio
from typing import Final

from starlette.datastructures import QueryParams

from taskflow.engine.trace.rows import SpanKind
from taskflow.errors import RunNotFoundError
from taskflow.server.dashboard.hidden_runs import shown_trace
from taskflow.server.dashboard.live.topic import Follower, Message, Messages, Topic
from taskflow.server.dashboard.pages.run.nested import with_opened
from taskflow.server.dashboard.pages.run.notes import with_notes
from taskflow.server.dashboard.pages.run.query import TraceQuery
from taskflow.server.dashboard.pages.run.values import around_of, parts_of
from taskflow.server.dashboard.rendering import render_part
from taskflow.store.followers import wait_for
from taskflow.texts import is_possible_id

_PAUSE_SECONDS: Final = 0.5
"""A page gets the changes of its run once in this time."""
_IDLE_SECONDS: Final = 10.0
_LINGER_SECONDS: Final = 1.5
"""Time in which the last spans and lines of a run come after its end."""
_PARTS: Final = ("summary", "trace")
_LINKED: Final = frozenset({"queues", "tokens"})
"""The pages that the head may lead to. The table of pages would be a circle of imports."""


async def follow(follower: Follower) -> Messages:
    """Yield the changed parts of a run's page; at its end the events "documents" and "end".

    The argument of the topic is the run's id, and behind a ``?`` the query of the page.
    """
    run_id, _, query_text = follower.argument.partition("?")
    query = TraceQuery.of(QueryParams(query_text))
    feed = follower.engine.feed()
    followed = follower.engine.traces.follow(run_id)
    if not is_possible_id(run_id):
        yield Message(event="end")
        return
    await feed.listen((await feed.shard_of(run_id),))
    last: dict[str, str] = {}
    documents: object = None
    with feed.following(run_id) as news:
        while True:
            news.clear()
            try:
                trace = await shown_trace(follower.engine, await followed.aread())
            except RunNotFoundError:
                yield Message(event="end")
                return
            shown = await with_notes(follower.engine, await with_opened(follower.engine, trace, query))
            values = parts_of(trace, shown, query, _LINKED, await around_of(follower.engine, trace.run))
            parts = {name: render_part("run.html", name, values) for name in _PARTS}
            changed = [text for name, text in parts.items() if last.get(name) != text]
            if last and changed:
                yield Message("".join(changed))
            shown_now = (trace.run.metadata, {span.name for span in trace.spans if span.kind is SpanKind.STREAM})
            if documents is not None and documents != shown_now:
                yield Message(event="documents")
            last, documents = parts, shown_now
            if trace.run.is_finished and not news.is_set():
                await asyncio.sleep(_LINGER_SECONDS)
                if not news.is_set():
                    yield Message(event="end")
                    return
            await asyncio.sleep(_PAUSE_SECONDS)
            await wait_for(news, _IDLE_SECONDS)


TOPIC: Final = Topic("run", follow)
