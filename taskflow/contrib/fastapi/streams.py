"""Server-sent events of a run."""

from fastapi import Response

from taskflow.server.mounted.run_stream import run_events as answer


async def run_events(run_id: str) -> Response:
    """Return an answer of server-sent events: a run's statuses, attempts, metadata and tags, as each of them comes.

    It ends with the run, with the client, and with the server. A client that comes back with ``Last-Event-ID``, as
    ``EventSource`` does, gets the events behind that one. Who may see the run is decided before the call.

    Raises:
        RunNotFoundError: No such run.
        StoreUnavailableError: The store did not answer.
    """
    return await answer(run_id)
