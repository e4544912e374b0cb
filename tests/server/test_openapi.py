"""The OpenAPI document, and the API against it."""

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from pydantic import BaseModel, Field
from schemathesis import GenerationMode

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.server.routes import ROUTES
from taskflow.server.task_shapes import TaskShape
from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.api_server import ApiServer
from tests.support.servers import RedisServer

EXAMPLES = 2
DELAYED = TriggerOptions.checked(delay="1h")
OF_OTHER_TASKS = re.compile(r"/api/v1/tasks/(?!t-point/|\{)")
HOLDS = re.compile(r"^/realtime/|/events$")
"""Answers that last as long as their run."""
_checks: Any = importlib.import_module("schemathesis.checks")  # partly untyped
CHECKS = [
    _checks.not_a_server_error,
    _checks.status_code_conformance,
    _checks.content_type_conformance,
    _checks.response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson")
def _one_line(_: object, value: object) -> bytes:
    """Return an item as a line."""
    return json.dumps(value).encode()


async def test_every_task_has_an_operation_with_its_payload(api: Api) -> None:
    """So that any language can generate a typed client. Parts of a schema are components of the document."""
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/api/v1/tasks/t-point/trigger"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert operation["operationId"] == "trigger_t_point"
    assert operation["description"] == "Return the fields."
    assert body["required"] == ["payload"]
    assert body["properties"]["payload"]["properties"]["x"] == {"title": "X", "type": "integer"}
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()
    assert "$defs" not in json.dumps(document)


def test_the_mapping_of_a_discriminator_points_to_components() -> None:
    """A generated client reads the name of the model from it."""

    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    class Visit(BaseModel):
        animal: Cat | Dog = Field(discriminator="kind")

    schema, parts = TaskShape(Visit.model_json_schema()).components("visit")
    assert schema["properties"]["animal"]["discriminator"]["mapping"] == {
        "cat": "#/components/schemas/visit.Cat",
        "dog": "#/components/schemas/visit.Dog",
    }
    assert parts.keys() == {"visit.Cat", "visit.Dog"}


async def test_every_route_is_in_the_document(api: Api) -> None:
    """Except refusals, and what proves itself: those of webhooks and uploads."""
    async with api.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    shown = {(route.method.lower(), re.sub(r":\w+\}", "}", route.path)) for route in ROUTES if not route.is_hidden}
    assert {(method, path) for path, methods in paths.items() for method in methods} >= shown


@pytest.fixture
def server(start_fleet: StartFleet, valkey: RedisServer) -> Iterator[ApiServer]:
    """A server process: schemathesis runs an application in a loop that outlives the store's connections in it."""
    server = ApiServer(start_fleet(valkey.url))
    server.start()
    yield server
    server.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_no_request_makes_the_server_fail_or_answer_what_it_does_not_document(server: ApiServer) -> None:
    """Right and wrong requests, made from the document: no 500, no undocumented status, no other content."""
    auth = {"authorization": f"Bearer {server.new_key()}"}
    run_id = server.fleet.flow.engine.runs.trigger("t-echo", 1, DELAYED).run_id
    schema: Any = schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers=auth)
    for result in schema.get_all_operations():
        operation: Any = result.ok()
        if OF_OTHER_TASKS.match(operation.path):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            is_known = mode is GenerationMode.POSITIVE and not HOLDS.search(operation.path)
            _try(operation, mode, auth, {"run_id": run_id} if is_known else {})


def _try(operation: Any, mode: GenerationMode, auth: dict[str, str], known: dict[str, str]) -> None:
    @seed(1)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def check(case: Any) -> None:
        for name in known.keys() & case.path_parameters.keys():
            case.path_parameters[name] = known[name]
        case.validate_response(case.call(headers=auth), checks=CHECKS)

    try:
        check()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with such a request
