"""Records under their own names, and the ends of runs: paths that only the Python client calls.

Client and server of about one version belong together, so these paths are not documented for other languages.
"""

from typing import Final

from taskflow.server.api.records import batches, errors, queues, runs, schedules, streams, tasks, tokens, webhooks
from taskflow.server.route import ApiRoute

ROUTES: Final[tuple[ApiRoute, ...]] = (
    *runs.ROUTES,
    *streams.ROUTES,
    *errors.ROUTES,
    *queues.ROUTES,
    *tasks.ROUTES,
    *tokens.ROUTES,
    *batches.ROUTES,
    *schedules.ROUTES,
    *webhooks.ROUTES,
)
