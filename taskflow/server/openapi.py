"""The OpenAPI 3.1 document, made from the route table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, Literal, cast
from urllib.parse import quote

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from taskflow.server.problems import ProblemBody
from taskflow.server.route import ApiRoute
from taskflow.server.task_shapes import TaskShape

Mode = Literal["validation", "serialization"]
Schemas = Mapping[tuple[type[BaseModel], Mode], Any]
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_TEXTS: Final[Mapping[int, str]] = {
    400: "The body or the query is wrong.",
    401: "No valid key or token.",
    403: "The key or token does not allow this.",
    404: "No such resource.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "Another content type is needed.",
    422: "The request is not possible.",
    429: "The key has made too many requests.",
    500: "A defect of the server.",
    503: "A server behind this one does not answer.",
}
TRIGGER: Final = "/api/v1/tasks/{task}/trigger"
"""The path of a trigger in the document."""
_ROOT: Final = "#/components/schemas/"


def document(routes: Iterable[ApiRoute], tasks: Mapping[str, TaskShape]) -> dict[str, Any]:
    """Return the document of the routes that it shows, with one operation for each task."""
    shown = [route for route in routes if not route.is_hidden]
    schemas, components = _schemas(shown)
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, schemas)
    template = paths[TRIGGER]["post"]
    for task_id, shape in sorted(tasks.items()):
        payload, inner = shape.components(f"task.{_component(task_id)}")
        paths[TRIGGER.replace("{task}", quote(task_id, safe=""))] = {"post": _typed(template, task_id, shape, payload)}
        components.update(inner)
    return {
        "openapi": "3.1.0",
        "info": {"title": "taskflow", "version": version("celery-taskflow")},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _typed(template: Mapping[str, Any], task_id: str, shape: TaskShape, payload: object) -> dict[str, Any]:
    """Return the operation that triggers one task."""
    body = {
        "type": "object",
        "properties": {"payload": payload, "options": {"$ref": f"{_ROOT}RunOptions"}},
        "required": ["payload"] if shape.needs_payload else [],
    }
    return {
        **template,
        "summary": f"Make a run of {task_id}.",
        **({"description": shape.description} if shape.description else {}),
        "operationId": f"trigger_{re.sub(r'[^A-Za-z0-9_]', '_', task_id)}",
        "parameters": [],
        "requestBody": {"required": shape.needs_payload, "content": {"application/json": {"schema": body}}},
    }


def _component(task_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", task_id)


def statuses_of(route: ApiRoute) -> Sequence[int]:
    """Return every status with which a route may refuse."""
    found = {500, 503, *route.statuses}
    if not route.access.is_open:
        found |= {401, 403, 429}
    if route.body is not None or route.body_type != "application/json":
        found |= {400, 408, 413}
    if route.query is not None:
        found.add(400)
    if _PARAMETER.search(route.path):
        found.add(404)
    return sorted(found)


def _schemas(routes: Sequence[ApiRoute]) -> tuple[Schemas, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(ProblemBody, "serialization"): None}
    for route in routes:
        for model, mode in ((route.body, "validation"), (route.query, "validation"), (route.answer, "serialization")):
            if model is not None:
                wanted[model, "validation" if mode == "validation" else "serialization"] = None
    schemas, definitions = models_json_schema(list(wanted), ref_template=f"{_ROOT}{{model}}")
    return cast("Schemas", schemas), definitions.get("$defs", {})


def _operation(route: ApiRoute, schemas: Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {
        route.content_type: {"schema": schemas[route.answer, "serialization"] if route.answer else {}}
    }
    problem = {"application/json": {"schema": schemas[ProblemBody, "serialization"]}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _name(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            str(route.status): {"description": "Success.", "content": content},
            **{str(status): {"description": _TEXTS[status], "content": problem} for status in statuses_of(route)},
        },
        "security": [] if route.access.is_open else [{"key": []}],
    }
    if route.body is not None:
        body = {route.body_type: {"schema": schemas[route.body, "validation"]}}
        operation["requestBody"] = {"required": not route.is_body_optional, "content": body}
    return operation


def _name(route: ApiRoute) -> str:
    words = re.findall(r"[a-z0-9]+", _PARAMETER.sub("", route.path).lower())
    return "_".join([route.method.lower(), *words, *(f"by_{name}" for name in _PARAMETER.findall(route.path))])


def _path_parameters(route: ApiRoute) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: ApiRoute) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(mode="validation", by_alias=True)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema.get("properties", {}).items()
    ]
