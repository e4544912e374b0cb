"""Answers with records, and the queries that ask for them."""

from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import unquote

from pydantic_core import from_json, to_json
from starlette.responses import Response

from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter
from taskflow.definition.calls.trigger_options import check_due
from taskflow.durations import parse_duration
from taskflow.errors import RunFilterError
from taskflow.server.call import Call
from taskflow.server.problems import Problem


def answer(**fields: object) -> Response:
    """Return the answer with these fields. Values are JSON, or what pydantic makes JSON of."""
    return Response(to_json(fields), media_type="application/json")


def answer_record(document: object) -> Response:
    """Return the answer that is one record."""
    return Response(to_json(document), media_type="application/json")


def id_of(call: Call, name: str) -> str:
    """Return an id of the path, which the client has encoded twice."""
    return unquote(call.path(name))


def filter_of(text: str | None) -> RunFilter:
    """Return the filter of a query.

    Raises:
        Problem: 400: it is not JSON with the fields of a filter.
        RunFilterError: A condition is not possible.
    """
    if not text:
        return ALL_RUNS
    try:
        given: object = from_json(text)
        if not isinstance(given, dict):
            raise ValueError("it is no object")
        fields = {name: _instant(name, value) for name, value in cast("dict[str, Any]", given).items()}
        return RunFilter(**fields)
    except RunFilterError:
        raise
    except (ValueError, TypeError) as error:
        raise Problem(400, "invalid_query", f"The filter can't be read: {error}.") from None


def due_of(delay: str | float) -> datetime | timedelta:
    """Return the instant, or the duration in seconds, of a body.

    Raises:
        TriggerOptionError: It is not possible.
    """
    return check_due(_parsed(delay) if isinstance(delay, str) else delay)


def duration_of(option: str, seconds: float | None) -> timedelta | None:
    """Return the duration of a body, None when it is absent.

    Raises:
        DefinitionError: It is not possible.
    """
    return None if seconds is None else parse_duration(seconds, option=option)


def _instant(name: str, value: Any) -> Any:
    return _parsed(value) if name in ("created_from", "created_to") and isinstance(value, str) else value


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Problem(400, "invalid_body", "An instant is ISO 8601, for example 2026-01-31T12:00:00Z.") from None
