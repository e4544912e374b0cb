"""The trace headers of a message, as they are kept with a run."""

import json

import pytest

from taskflow.definition.calls.trace_headers import LONGEST, trace_of_headers

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_headers_of_sentry_are_found_where_it_puts_them() -> None:
    """They stand in a header of their own name, and in one that holds all of its headers."""
    headers = {"traceparent": PARENT, "id": "1", "headers": {"sentry-trace": "a-b-1", "traceparent": "other"}}
    assert json.loads(trace_of_headers(headers)) == {"traceparent": PARENT, "sentry-trace": "a-b-1"}


@pytest.mark.parametrize("value", [None, "", 7, ["a"], "x" * (LONGEST + 1), "a\nb", "ä", "\ud800"])
def test_what_is_not_a_header_is_left_out(value: object) -> None:
    """Headers of a message are data: whatever they are, they may cost no run."""
    assert trace_of_headers({"traceparent": value, "headers": value}) == ""
