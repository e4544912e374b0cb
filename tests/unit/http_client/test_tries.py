"""Answers that are tried again, the pauses of the client, and the error in the end."""

import pytest
from pydantic_core import to_json

from taskflow import (
    ApiAddressError,
    ApiError,
    KeyRefusedError,
    RunNotDelayedError,
    ServerUnavailableError,
    StoreFullError,
    TaskflowError,
)
from taskflow.http_client.transport.api_request import ApiAnswer, ApiRequest, post
from taskflow.http_client.transport.refusals import misread
from taskflow.http_client.transport.server_events import Pauses, ServerEvent, events
from taskflow.http_client.transport.tries import MOST_TRIES, Tries
from taskflow.seams.error_documents import error_document

URL = "http://tasks.test"
NOW = 1_800_000_000.0


def _tries(*, is_repeatable: bool = True) -> Tries:
    return Tries(post("/api", lambda document: document, is_repeatable=is_repeatable), URL, lambda: NOW)


def _answer(status: int, headers: dict[str, str] | None = None, error: TaskflowError | None = None) -> ApiAnswer:
    body = {"error": str(error or "no"), "code": "c", "remedy": "r", "taskflow": error and error_document(error)}
    return ApiAnswer(status, headers or {}, to_json(body))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_refusal_is_tried_again_with_growing_pauses(status: int) -> None:
    tries = _tries()
    pauses = [tries.after_refusal(_answer(status)) for _ in range(MOST_TRIES - 1)]
    for pause, expected in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=True):
        assert expected * 0.8 <= pause <= expected * 1.2
    with pytest.raises(ServerUnavailableError, match=f"it answers {status} c: no r") as raised:
        tries.after_refusal(_answer(status))
    assert (raised.value.status, raised.value.may_exist) == (status, status >= 500)


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:07 GMT"}, 7.0),
        ({"x-ratelimit-reset": "1800000004000"}, 4.0),
        ({"x-ratelimit-reset": "1799999999000"}, 0.0),
    ],
)
def test_the_pause_that_the_server_asks_for_counts(headers: dict[str, str], seconds: float) -> None:
    assert seconds <= _tries().after_refusal(_answer(429, headers)) <= seconds + 0.2


def test_a_pause_that_is_too_long_is_an_error_at_once() -> None:
    with pytest.raises(ServerUnavailableError, match="429"):
        _tries().after_refusal(_answer(429, {"retry-after": "3600"}))


@pytest.mark.parametrize(
    "status, headers, kind",
    [
        (401, {}, KeyRefusedError),
        (403, {}, KeyRefusedError),
        (409, {}, ApiError),
        (422, {}, ApiError),
        (503, {"x-should-retry": "false"}, ServerUnavailableError),
    ],
)
def test_a_final_refusal_is_raised_at_once(status: int, headers: dict[str, str], kind: type[TaskflowError]) -> None:
    with pytest.raises(TaskflowError) as raised:
        _tries().after_refusal(_answer(status, headers))
    assert type(raised.value) is kind


def test_an_error_of_the_store_is_raised_as_it_is_there() -> None:
    """Its class, its message and its attributes."""
    original = RunNotDelayedError("run_1", "QUEUED")
    with pytest.raises(RunNotDelayedError) as raised:
        _tries().after_refusal(_answer(422, error=original))
    assert (str(raised.value), vars(raised.value)) == (str(original), vars(original))
    tries = _tries()
    for _ in range(MOST_TRIES - 1):
        tries.after_refusal(_answer(503, error=StoreFullError(run_id="run_1")))
    with pytest.raises(StoreFullError, match="`maxmemory`"):
        tries.after_refusal(_answer(503, error=StoreFullError(run_id="run_1")))


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error":"No such path.","code":"not_supported"}'])
def test_an_answer_of_something_else_is_a_wrong_address(body: bytes) -> None:
    with pytest.raises(ApiAddressError, match="404 to POST /api"):
        _tries().after_refusal(ApiAnswer(404, {}, body))


def test_an_answer_that_is_not_understood_shows_no_value() -> None:
    """A success of something else may hold anything."""
    request: ApiRequest[object] = post("/api", lambda document: document)
    answer = ApiAnswer(200, {"content-type": "application/json"}, b"1")
    assert "KeyError: 'id'" in str(misread(request, answer, URL, KeyError("id")))
    assert "something else than JSON" in str(misread(request, ApiAnswer(200, {}, b"<"), URL, ValueError("secret")))


def test_a_failure_before_sending_can_never_have_done_anything() -> None:
    tries = _tries(is_repeatable=False)
    for _ in range(MOST_TRIES - 1):
        tries.after_failure("Connect", was_sent=False)
    with pytest.raises(ServerUnavailableError) as raised:
        tries.after_failure("Connect", was_sent=False)
    assert not raised.value.may_exist


def test_what_cannot_be_recognised_again_is_sent_once() -> None:
    with pytest.raises(ServerUnavailableError) as raised:
        _tries(is_repeatable=False).after_failure("ReadTimeout", was_sent=True)
    assert raised.value.may_exist


def test_events_are_read_over_comments_and_lines_of_data() -> None:
    lines = [": ping", "event: run", "data: a", "data: b", "", "data:c", "", "event: none", ""]
    assert list(events(lines)) == [ServerEvent(""), ServerEvent("run", "a\nb"), ServerEvent("message", "c")]


def test_pauses_between_connections_grow_and_begin_anew() -> None:
    pauses = Pauses()
    grown = [pauses.seconds() for _ in range(9)]
    assert grown[0] < 0.2
    assert 4 <= grown[-1] <= 6
    pauses.connected()
    assert pauses.seconds() < 0.2
