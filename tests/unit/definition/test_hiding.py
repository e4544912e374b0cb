"""Hidden values of documents, and texts that repeat them."""

import pytest

from taskflow.definition.documents.hiding import NOTHING_HIDDEN, Hiding
from taskflow.definition.documents.secret_texts import LOCK, Secrets, shown_error
from taskflow.models import ErrorCause, RunError

RULES = Hiding.of(("$.card.number", "$..password", "$.items[*].token", "$.first[0]"))
LONG = "sk-live-" + "0123456789abcdef" * 4


def test_values_at_the_paths_are_replaced() -> None:
    """Values of any type, and nothing else."""
    document = {
        "card": {"number": 42, "owner": "Ana"},
        "deep": [{"password": {"old": "x"}}, {"a": {"password": None}}],
        "items": [{"token": "a", "n": 1}, "b"],
        "first": ["x", "y"],
        "number": 42,
    }
    assert RULES.value(document) == {
        "card": {"number": LOCK, "owner": "Ana"},
        "deep": [{"password": LOCK}, {"a": {"password": LOCK}}],
        "items": [{"token": LOCK, "n": 1}, "b"],
        "first": [LOCK, "y"],
        "number": 42,
    }
    assert Hiding.of(("$",)).value(document) == LOCK
    assert NOTHING_HIDDEN.value(document) is document


def test_a_text_keeps_its_digits_and_its_order() -> None:
    """A document without hidden values stays byte for byte."""
    assert RULES.text(b'{"b": 1.50, "card":{"number":1},"a":9007199254740993}') == (
        b'{"b": 1.50, "card": {"number": "[redacted]"}, "a": 9007199254740993}'
    )
    assert RULES.text(b'{"b" :1.50}') == b'{"b" :1.50}'


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"a":' * 5000, b""])
def test_what_can_not_be_read_is_hidden_as_a_whole(text: bytes) -> None:
    """A rule that can't be followed hides too much, never too little."""
    assert RULES.text(text) == b'"[redacted]"'
    assert RULES.secrets([text]).scrub("anything") == LOCK
    assert NOTHING_HIDDEN.text(text) == text


@pytest.mark.parametrize(
    "value, text, shown",
    [
        ("4242 4242", "card 4242 4242.", "card [redacted]."),
        ("pw1", "pw1, not pw12 nor apw1: 'pw1'", "[redacted], not pw12 nor apw1: '[redacted]'"),
        ("xy", "xy is too short to be looked for", "xy is too short to be looked for"),
        ('a"b\nc', 'a"b\nc or a"b\\nc or a\\"b\\nc', "[redacted] or [redacted] or [redacted]"),
        ("größer", '"gr\\u00f6\\u00dfer"', '"[redacted]"'),
        (LONG, f"input_value='{LONG[:25]}...{LONG[-24:]}'", "input_value='[redacted]...[redacted]'"),
        (LONG, f"{LONG}{LONG}", "[redacted][redacted]"),
        (4711, "number 4711 of 47110", "number [redacted] of 47110"),
        (True, "True", "True"),
        ({"a": ["deep value"]}, "a deep value", "a [redacted]"),
    ],
)  # fmt: skip
def test_a_text_loses_the_values_that_it_repeats(value: object, text: str, shown: str) -> None:
    """As they are, as Python or JSON writes them, and as pydantic cuts them."""
    assert Secrets.of([value]).scrub(text) == shown


def test_a_number_is_found_as_it_was_sent_and_as_python_writes_it() -> None:
    """The document has digits, and the task a float."""
    secrets = RULES.secrets([b'{"password": 1234.50}'])
    assert secrets.scrub("1234.50 and 1234.5") == "[redacted] and [redacted]"


def test_an_error_is_cleared_with_its_traceback_and_causes() -> None:
    """Too many hidden values hide the texts as a whole."""
    error = RunError("ValueError", "no secret-word", "File x\nsecret-word", (ErrorCause("KeyError", "'secret-word'"),))
    shown = shown_error(error, Secrets.of(["secret-word"]))
    assert "secret-word" not in repr(shown)
    assert "File x" in repr(shown)
    everything = shown_error(error, Secrets.of([f"value {n}" for n in range(2000)]))
    assert everything is not None
    assert (everything.message, everything.traceback) == (LOCK, LOCK)


def test_of_many_secrets_those_are_searched_that_texts_may_repeat() -> None:
    """A long log is searched once for each hidden value, and not once a line."""
    secrets = Secrets.of(["first-value", "second-value", LONG, LONG[::-1]])
    few = secrets.within(["no", f"second-value and ...{LONG[-20:]}"])
    assert set(few.texts) == {"second-value", LONG}
    assert secrets.within([]).texts == ()
    assert Secrets(is_everything=True).within(["a"]).is_everything
    assert Secrets.of(["a" * 100_000]).scrub(f"<{'a' * 99_999}>") == f"<{LOCK}>"
