"""Payloads: what is accepted, what is stored, what is refused and in which words."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, Secret, SecretStr, computed_field, field_serializer
from typing_extensions import TypedDict

from taskflow.definition.documents.payload import PayloadType
from taskflow.errors import DefinitionError, PayloadError
from taskflow.verbs.decorator import task
from tests.unit.definition import later_annotations


class Line(BaseModel):
    sku: str
    count: int = 1


class Order(BaseModel):
    id: UUID
    placed: datetime
    total: Decimal
    lines: list[Line] = []


@dataclass
class Point:
    x: int
    y: int


class Options(TypedDict):
    depth: int


ORDER = Order(id=UUID(int=7), placed=datetime(2030, 1, 2, tzinfo=UTC), total=Decimal("9.90"), lines=[Line(sku="a")])


def payload_of(annotation: object) -> PayloadType:
    """Return the payload type of a task whose payload has this annotation."""

    def function(payload): ...  # type: ignore[no-untyped-def]  # pyright: ignore - the annotation is the parameter

    function.__annotations__["payload"] = annotation
    declare: Callable[..., Any] = task(id="subject")
    made: PayloadType = declare(function).definition.payload
    return made


@pytest.mark.parametrize(
    "annotation, payload",
    [
        (Order, ORDER),
        (Point, Point(1, 2)),
        (Options, {"depth": 3}),
        (int, 5),
        (str, "text"),
        (list[datetime], [ORDER.placed]),
        (dict[str, Point], {"a": Point(1, 2)}),
        (Order | None, None),
        (None, None),
        (Any, {"any": [1, None, "json"]}),
    ],
)
def test_what_is_stored_reads_back_as_what_was_sent(annotation: object, payload: object) -> None:
    """The worker must see the value that the caller validated, in its own type."""
    subject = payload_of(annotation)
    assert subject.load(subject.dump(payload)) == payload


def test_data_that_validates_is_as_good_as_an_instance() -> None:
    """The HTTP door and other languages send plain JSON."""
    subject = payload_of(Order)
    data = {"id": str(ORDER.id), "placed": "2030-01-02T00:00:00Z", "total": "9.90", "lines": [{"sku": "a"}]}
    assert subject.load(subject.dump(data)) == ORDER


def test_a_payload_without_annotation_is_any_json() -> None:
    """Types are an offer, not a toll."""

    @task()
    def free(payload): ...  # type: ignore[no-untyped-def]  # pyright: ignore - a user without types

    payload = free.definition.payload
    assert isinstance(payload, PayloadType)
    assert payload.load(payload.dump({"a": [1, None]})) == {"a": [1, None]}


def test_an_error_names_each_field_and_no_value() -> None:
    """Payloads hold names and passwords; errors end in logs."""
    with pytest.raises(PayloadError) as refused:
        payload_of(Order).dump({"placed": "hunter2", "total": 1, "lines": [{"sku": "a"}, {"sku": 99}]})
    text = str(refused.value)
    assert "task 'subject'" in text
    assert "id: Field required" in text
    assert "lines[1].sku: Input should be a valid string" in text
    assert "hunter2" not in text
    assert "99" not in text
    assert refused.value.__cause__ is None, "pydantic's own error shows the values"


def test_many_errors_are_cut() -> None:
    """A list of ten thousand wrong items must not become a log line of a megabyte."""
    with pytest.raises(PayloadError, match="and 9990 more"):
        payload_of(list[int]).dump(["x"] * 10_000)


@pytest.mark.parametrize("annotation", [float, float | None, Any, dict[str, float]])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_has_no_words_for_are_refused(annotation: object, number: float) -> None:
    """Pydantic would store null: the worker would compute with None, or fail on it."""
    payload = {"a": number} if annotation == dict[str, float] else number
    with pytest.raises(PayloadError, match="JSON cannot carry"):
        payload_of(annotation).dump(payload)


def test_nan_stays_out_even_of_models_that_ask_for_it() -> None:
    """`NaN` is not JSON: other languages and the store's own parser would stumble over it."""

    class Ratio(BaseModel):
        model_config = ConfigDict(ser_json_inf_nan="constants")
        value: float

    with pytest.raises(PayloadError, match=r"\$\.value is nan"):
        payload_of(Ratio).dump(Ratio(value=float("nan")))


def test_text_that_says_nan_or_null_is_text() -> None:
    """The cheap test for NaN looks for these very words."""
    subject = payload_of(dict[str, str])
    payload = {"a": "NaN", "b": "Infinity", "c": "null"}
    assert subject.load(subject.dump(payload)) == payload


def test_the_place_of_what_json_cannot_carry_is_named() -> None:
    """In a payload of a thousand lines the type alone would not help."""
    with pytest.raises(PayloadError, match=r"\$\.items\[1\]\.file is of type object"):
        payload_of(Any).dump({"items": [1, {"file": object()}]})


def test_a_field_that_is_none_against_its_annotation_is_refused_at_the_trigger() -> None:
    """`b: str = None` serialises well and would fail in every worker."""

    class Sloppy(BaseModel):
        b: str = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] - as seen in the wild

    with pytest.raises(PayloadError, match="b: Input should be a valid string"):
        payload_of(Sloppy).dump(Sloppy())


def test_aliases_and_computed_fields_survive_the_way() -> None:
    """Written by alias and read by name, a payload would be lost between its own two ends."""

    class Area(BaseModel):
        model_config = ConfigDict(extra="forbid", serialize_by_alias=True)
        width: int = Field(validation_alias="w", serialization_alias="W")

        @computed_field
        def doubled(self) -> int:
            return 2 * self.width

    subject = payload_of(Area)
    area = Area.model_validate({"w": 2})
    assert subject.dump(area) == b'{"width":2}'
    assert [subject.load(subject.dump(given)) for given in ({"w": 2}, {"width": 2}, area)] == [area, area, area]


@pytest.mark.parametrize("secret", [SecretStr, list[SecretStr], Secret[int], dict[str, SecretStr | None]])
def test_a_secret_that_would_be_stored_as_asterisks_is_refused(secret: object) -> None:
    """The worker would log in with ten asterisks."""
    with pytest.raises(DefinitionError, match="plain str with a serializer"):
        payload_of(secret).dump("x")


def test_a_secret_that_is_serialised_on_purpose_is_accepted() -> None:
    """The remedy that the error names must work."""

    class Login(BaseModel):
        one: SecretStr
        two: Annotated[SecretStr, PlainSerializer(lambda secret: secret.get_secret_value())]

        @field_serializer("one")
        def _reveal(self, secret: SecretStr) -> str:
            return secret.get_secret_value()

    assert payload_of(Login).dump({"one": "a", "two": "b"}) == b'{"one":"a","two":"b"}'


def test_annotations_that_are_text_may_name_later_things() -> None:
    """`from __future__ import annotations` is common, and so is a model below its task."""
    definition = later_annotations.price.definition
    assert definition.payload is not None
    assert definition.payload.load(b'{"cents":5,"next":{"cents":6}}') == later_annotations.Order(
        cents=5, next=later_annotations.Order(cents=6)
    )
    assert definition.output.dump([later_annotations.Price(cents=5)]) == b'[{"cents":5}]'
    assert definition.wants == ("ctx",)


def test_an_annotation_that_names_nothing_is_an_error_at_first_use() -> None:
    """At import it may still be defined later; in the worker it must not be a NameError out of nowhere."""
    definition = later_annotations.nowhere.definition
    with pytest.raises(DefinitionError, match="TYPE_CHECKING") as refused:
        definition.prepare()
    assert "The payload 'payload' of task 'later-nowhere'" in str(refused.value)
    assert refused.value.value == "Decimal"


def test_a_type_unknown_to_pydantic_is_an_error_that_says_what_works() -> None:
    """Pydantic alone would advise `arbitrary_types_allowed`, which JSON cannot keep."""
    with pytest.raises(DefinitionError, match="Use a pydantic model"):
        payload_of(ModuleType).dump(sys)


def test_the_json_schema_describes_the_payload() -> None:
    """The dashboard and the HTTP API show it."""
    assert payload_of(Line).json_schema()["required"] == ["sku"]
    assert payload_of(Callable[[], int]).json_schema() == {}


def test_a_stored_payload_that_no_longer_fits_says_so() -> None:
    """The task was changed while runs of it were queued."""
    with pytest.raises(PayloadError, match="sku: Field required"):
        payload_of(Line).load(b'{"name":"a"}')
