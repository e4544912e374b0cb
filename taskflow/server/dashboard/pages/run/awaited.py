"""The token that a run waits for: its name and its timeout in the run's head, and the way to its page.

The head is one text for all readers, and who has a token's id may complete it: so the head leads there by the run's id.
"""

from starlette.responses import Response

from taskflow.definition.calls.tokens import Token
from taskflow.engine.engine import Engine
from taskflow.errors import TokenNotFoundError
from taskflow.models import Run, RunStatus
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.visit import Visit


async def awaited_token(engine: Engine, run: Run) -> Token | None:
    """Return the token that a run waits for, None if it waits for none or the store has lost it."""
    token_id = _token_id(run)
    if not token_id:
        return None
    try:
        return await engine.tokens.aretrieve(token_id)
    except TokenNotFoundError:
        return None


async def open_token(visit: Visit) -> Response:
    """Lead to the page of the token that a run waits for.

    Raises:
        PageProblem: It waits for none: 404.
    """
    run = await visit.engine.runs.aretrieve(visit.path["run_id"])
    token_id = _token_id(run)
    if not token_id:
        raise PageProblem(404, "No token", f"Run {run.id} waits for no token.", "Open the run's page.")
    return visit.go("tokens", token_id)


def _token_id(run: Run) -> str:
    if run.status is RunStatus.WAITING and run.waits and run.waits[0].kind == "token":
        return run.waits[0].name
    return ""
