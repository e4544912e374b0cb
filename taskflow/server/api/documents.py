"""The description of the API, as OpenAPI 3.1."""

from typing import Final

from pydantic_core import to_json
from starlette.responses import Response

from taskflow.server.call import Call
from taskflow.server.route import ApiRoute
from taskflow.server.task_shapes import task_shapes


async def describe(call: Call) -> Response:
    """Return the OpenAPI document, with one operation for each task."""
    return Response(to_json(call.server.describe(await task_shapes(call.flow))), media_type="application/json")


ROUTES: Final = (ApiRoute("GET", "/openapi.json", describe, "Describe the API as OpenAPI 3.1."),)
