"""The events of one run as an answer of the user's own application."""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from taskflow.server.mounted.lifetime import current_state
from taskflow.server.realtime.event_stream import EventStream
from taskflow.server.realtime.run_events import run_events as frames
from taskflow.server.realtime.run_progress import position_of
from taskflow.server.state import ServerState


async def run_events(run_id: str) -> Response:
    """Return an answer of server-sent events: a run's statuses, attempts, metadata and tags, as each of them comes.

    It ends with the run, with the client, and with the server. A client that comes back with ``Last-Event-ID``, as
    ``EventSource`` does, gets the events behind that one. Who may see the run is decided before the call.

    Raises:
        RunNotFoundError: No such run.
        StoreUnavailableError: The store did not answer.
    """
    state = await current_state()
    await state.flow.engine.runs.aretrieve(run_id)
    return _RunEvents(state, run_id)


class _RunEvents(Response):
    """Begins to follow when the answer is sent, because the request's headers are known then."""

    def __init__(self, state: ServerState, run_id: str) -> None:
        super().__init__(media_type="text/event-stream")
        self._state, self._run_id = state, run_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events. Too many open streams, and a server that stops, are answered with 503."""
        state = self._state
        if state.stopping.is_set() or state.open_streams >= state.flow.settings.server_streams:
            refusal = Response("Connect again later.", 503, {"retry-after": "5"}, "text/plain")
            await refusal(scope, receive, send)
            return
        after = position_of(Headers(scope=scope).get("last-event-id", ""))
        await EventStream(state, frames(state.flow.engine, self._run_id, after))(scope, receive, send)
