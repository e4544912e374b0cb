"""The streams of a run as the inspector shows them: how many items each has, and the newest ones."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from taskflow.definition.documents.secret_texts import NO_SECRETS, Secrets
from taskflow.engine.engine import Engine
from taskflow.errors import RunNotFoundError
from taskflow.seams.streams import StreamAddress
from taskflow.server.dashboard.hidden_runs import stored_secrets
from taskflow.server.dashboard.view.reader import READER

_MOST_STREAMS = 20
_NEWEST = 20


@dataclass(frozen=True, slots=True)
class ShownStream:
    """A stream. ``items``: the index and the JSON of its newest items, the newest last."""

    name: str
    count: int
    items: Sequence[tuple[int, bytes]]


async def streams_of(engine: Engine, run_id: str) -> list[ShownStream]:
    """Return the streams of a run that have an item, by name; none of a run that has left the store."""
    try:
        names = (await engine.feed().records.streams([run_id])).get(run_id, ())
        secrets = await stored_secrets(engine, run_id) if names else NO_SECRETS
        return [await _stream(engine, run_id, name, secrets) for name in names[:_MOST_STREAMS]]
    except RunNotFoundError:
        return []


async def _stream(engine: Engine, run_id: str, name: str, secrets: Secrets) -> ShownStream:
    address = StreamAddress(run_id, "stream", name)
    count = await engine.streams.acount(address)
    start = max(0, count - _NEWEST)
    async with aclosing(engine.streams.aread(address, start, follow=False)) as reading:
        items = [item async for item in reading]
    numbered = list(enumerate(items, start))[-_NEWEST:]
    return ShownStream(
        name, max(count, start + len(items)), [(index, _without_hidden(item, secrets)) for index, item in numbered]
    )


def _without_hidden(item: bytes, secrets: Secrets) -> bytes:
    """Return an item without the values at hidden paths, and without what it repeats of the run's others."""
    text = READER.get().hiding.text(item)
    return secrets.scrub(text.decode(errors="replace")).encode() if secrets else text
