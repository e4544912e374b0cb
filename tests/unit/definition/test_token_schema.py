"""The schema of a token's type refuses what the type would refuse, without the value in the text."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints

from taskflow import DefinitionError, TokenDataError
from taskflow.definition.calls.token_schema import LARGEST, check_by_schema, token_schema


class Line(BaseModel):
    sku: Annotated[str, StringConstraints(pattern="^(a+)+$")]
    count: int = Field(ge=1, alias="n")


class Approval(BaseModel):
    kind: Literal["yes", "no"]
    lines: list[Line] = []
    at: datetime | None = None
    tags: set[int] = set()
    price: Decimal | None = None


GOOD = b'{"kind":"yes","lines":[{"sku":"aaa","count":2}],"at":"2030-01-01T00:00:00Z","tags":[1],"price":"1.5"}'


def test_what_fits_is_taken_by_the_names_of_the_fields() -> None:
    check_by_schema("token_1", token_schema(Approval), GOOD)
    check_by_schema("token_1", token_schema(list[int]), b"[1,2]")
    assert token_schema(None) == ""


@pytest.mark.parametrize(
    "output, reason",
    [
        (b'"secret"', 'the value: it is not of type "object"'),
        (b"{}", 'the value: it lacks one of the fields ["kind"]'),
        (b'{"kind":"secret"}', 'kind: it is not ["yes", "no"]'),
        (b'{"kind":"yes","lines":[{"sku":"aab","count":1}]}', "lines.0.sku: it breaks pattern"),
        (b'{"kind":"yes","lines":[{"sku":"a","count":0}]}', "lines.0.count: it breaks minimum 1"),
        (b'{"kind":"yes","lines":[{"sku":"a","n":1}]}', "lines.0: it lacks one of the fields"),
        (b'{"kind":"yes","at":"secret"}', "at: it breaks anyOf"),
        (b'{"kind":"yes","price":[]}', "price: it breaks anyOf"),
        (b'{"kind":"yes","tags":[1,1]}', "tags: it breaks uniqueItems"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_rule(output: bytes, reason: str) -> None:
    with pytest.raises(TokenDataError) as refused:
        check_by_schema("token_1", token_schema(Approval), output)
    assert f"What completes token token_1 does not fit: {reason}" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_hostile_data_costs_no_time() -> None:
    """A pattern that backtracks for ever in Python's engine, and a long list of equal hashes."""
    evil = b'{"kind":"yes","lines":[{"sku":"' + b"a" * 50_000 + b'b","count":1}]}'
    with pytest.raises(TokenDataError):
        check_by_schema("token_1", token_schema(Approval), evil)
    items = b",".join(b'{"i":%d}' % number for number in range(20_000))
    with pytest.raises(TokenDataError):
        check_by_schema("token_1", token_schema(set[int]), b"[" + items + b"]")
    with pytest.raises(TokenDataError):
        check_by_schema("token_1", token_schema(list[int]), b"[" * 150 + b"]" * 150)


def test_a_schema_is_bounded() -> None:
    large = Literal[tuple(f"{number:0100}" for number in range(LARGEST // 100))]  # type: ignore[valid-type]  # made here
    with pytest.raises(DefinitionError, match="limit is 65,536 bytes"):
        token_schema(large)
