"""The parts of a payload that Flower shows."""

import json

import pytest

from taskflow.definition.documents.payload import argsrepr


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db_password",
        "PASSWD",
        "secret",
        "clientSecret",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "Authorization",
        "token",
    ],
)
def test_the_value_of_a_sensitive_key_is_never_shown(key: str) -> None:
    """Flower shows arguments to whoever can open it."""
    shown = argsrepr(json.dumps({"user": "ann", "deep": [{key: "hunter2"}]}).encode())
    assert shown is not None
    assert json.loads(shown) == {"user": "ann", "deep": [{key: "***"}]}


def test_a_sensitive_object_disappears_as_a_whole() -> None:
    """Its parts have harmless names."""
    assert argsrepr(b'{"credentials" : {"user": "ann", "pw": "hunter2"}}') == '{"credentials":"***"}'


def test_a_harmless_payload_is_left_to_the_store() -> None:
    """Nothing is parsed twice on the way of a trigger."""
    assert argsrepr(b'{"text":"my password is a secret","keys":[1]}') is None


def test_what_is_redacted_is_also_short() -> None:
    """It is part of every message."""
    shown = argsrepr(json.dumps({"token": "x", "text": "é" * 5000}).encode())
    assert shown is not None
    assert len(shown) == 1024


def test_a_key_beyond_what_is_shown_costs_nothing() -> None:
    """A payload of megabytes is not searched to its end."""
    assert argsrepr(json.dumps({"text": "x" * 5000, "token": "hunter2"}).encode()) is None
