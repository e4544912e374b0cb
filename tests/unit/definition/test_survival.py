"""The value that arrives is the one that was given: data becomes the type once, an instance survives its JSON."""

import dataclasses
import enum
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, cast

import pytest
from pydantic import (
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FutureDatetime,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from taskflow.definition.documents.annotation import Annotation
from taskflow.definition.documents.payload import OutputType, PayloadType
from taskflow.definition.documents.survival import survival
from taskflow.errors import OutputError, PayloadError


class Price(BaseModel):
    cents: int

    @field_validator("cents")
    @classmethod
    def to_cents(cls, value: int) -> int:
        return value * 100


class Labels(BaseModel):
    labels: Annotated[list[str], BeforeValidator(lambda text: text.split(","))]


class Item(BaseModel):
    sku: str


class Gift(Item):
    message: str


class ShortItem(Item):
    sku: str = Field(max_length=9)


class Order(BaseModel):
    items: list[Item] = []
    first: Item | None = None
    by_name: dict[str, Item] = {}


class Hidden(BaseModel):
    shown: int = 1
    hidden: int = Field(default=0, exclude=True)


class Reshaped(BaseModel):
    a: int

    @model_serializer
    def _whole(self) -> dict[str, int]:
        return {"b": self.a}


class Colour(enum.Enum):
    RED = 1


class Cat(BaseModel):
    name: str


class Dog(BaseModel):
    name: str


@dataclasses.dataclass
class Secretive:
    a: int
    b: dataclasses.InitVar[int]
    doubled: int = 0

    def __post_init__(self, b: int) -> None:
        self.doubled = 2 * b


@dataclasses.dataclass
class Point:
    x: int


@dataclasses.dataclass
class Origin(Point):
    x: int = 0


@dataclasses.dataclass
class Pixel(Point):
    colour: str = "red"


class Node(BaseModel):
    value: Item
    next: "Node | None" = None


class Numbered(BaseModel):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)


class Cached(BaseModel):
    a: int
    _seen: list[object] = PrivateAttr(default_factory=lambda: [object()])


class Later(BaseModel):
    at: FutureDatetime
    others: list[FutureDatetime] = []


def payload_of(annotation: object) -> PayloadType:
    """Return the payload type with an annotation."""
    return PayloadType("subject", Annotation("The payload", annotation, {}))


def arrives(annotation: object, given: object) -> Any:
    """Return what the worker gets of what a caller gave."""
    subject = payload_of(annotation)
    return subject.load(subject.dump(given))


@pytest.mark.parametrize(
    "annotation, given, got",
    [
        (Price, {"cents": 5}, Price(cents=5)),
        (list[Price], [{"cents": 5}], [Price(cents=5)]),
        (dict[str, Price], {"a": {"cents": 5}}, {"a": Price(cents=5)}),
        (Labels, {"labels": "a,b"}, Labels.model_validate({"labels": "a,b"})),
        (Hidden, {"shown": 2, "hidden": 3}, Hidden(shown=2, hidden=3)),
        (Hidden, Hidden(shown=2), Hidden(shown=2)),
        (Reshaped, {"a": 1}, Reshaped(a=1)),
        (Base64Bytes, "aGVsbG8=", b"hello"),
        (Secretive, {"a": 1, "b": 2}, Secretive(1, 2)),
        (Order, Order(items=[Item(sku="a")], first=Item(sku="b")), Order(items=[Item(sku="a")], first=Item(sku="b"))),
        (Order, {"first": Item(sku="b")}, Order(first=Item(sku="b"))),
        (list[Item], [Item(sku="a")], [Item(sku="a")]),
        (list[datetime], [datetime(2030, 1, 1, tzinfo=UTC)], [datetime(2030, 1, 1, tzinfo=UTC)]),
        (dict[date, Decimal], {date(2030, 1, 1): Decimal("1.10")}, {date(2030, 1, 1): Decimal("1.10")}),
        (set[int], {1, 2}, {1, 2}),
        (tuple[int, Item], (1, Item(sku="a")), (1, Item(sku="a"))),
        (Node, Node(value=Item(sku="a"), next=Node(value=Item(sku="b"))), None),
        (Item, ShortItem(sku="a"), Item(sku="a")),
        (Order, Order(items=[ShortItem(sku="a")]), Order(items=[Item(sku="a")])),
        (Point, Origin(), Point(0)),
        (Cached, Cached(a=1), None),
        (Any, {"at": {1: (2,)}}, {"at": {"1": [2]}}),
    ],
)  # fmt: skip
def test_the_value_that_arrives_is_the_one_that_was_given(annotation: object, given: object, got: object) -> None:
    """A price of 5 euro that became 50,000 cents was charged by somebody."""
    arrived = arrives(annotation, given)
    if isinstance(given, Cached):
        assert arrived.a == given.a
    else:
        assert arrived == (given if got is None else got)


@pytest.mark.parametrize(
    "annotation, given, place",
    [
        (Price, Price(cents=5), "cents"),
        (list[Price], [Price(cents=5)], r"\[0\]\.cents"),
        (Labels, Labels.model_validate({"labels": "a,b"}), "labels|AttributeError"),
        (Item, Gift(sku="a", message="m"), r"\$"),
        (Order, Order(items=[Item(sku="a"), Gift(sku="b", message="m")]), r"items\[1\]"),
        (Order, Order(first=Gift(sku="b", message="m")), "first"),
        (Order, Order(by_name={"x": Gift(sku="b", message="m")}), r"by_name\.x"),
        (Order, {"first": Gift(sku="b", message="m")}, "first"),
        (Node, Node(value=Item(sku="a"), next=Node(value=Gift(sku="b", message="m"))), r"next\.value"),
        (Point, Pixel(1), r"\$"),
        (list[Point], [Point(1), Pixel(2)], r"\[1\]"),
        (Hidden, Hidden(hidden=2), "hidden"),
        (Reshaped, Reshaped(a=1), "a: Field required"),
        (Secretive, Secretive(1, 2), "b: Field required"),
        (dict[Colour, int], {Colour.RED: 1}, "1"),
        (dict[tuple[int, int], str], {(1, 2): "a"}, "1,2"),
        (Any, {(1, 2): "a"}, "1, 2"),
        (Any, {1: "a", "1": "b"}, r"\$"),
        (Cat | Dog, Dog(name="rex"), r"\$"),
        (Item | ShortItem, ShortItem(sku="a"), r"\$"),
        (dict[str, int], {"a\ud800": 1}, "."),
        (Any, {"a\ud800": 1}, r"\$"),
        (Any, ["a\ud800"], "surrogate"),
        (Later, {"at": "2001-01-01T00:00:00Z"}, "at"),
    ],
)
def test_what_would_arrive_as_something_else_is_refused_by_name(annotation: object, given: object, place: str) -> None:
    """Before, the trigger was accepted and each run failed, or fields vanished in silence."""
    with pytest.raises(PayloadError, match=place):
        payload_of(annotation).dump(given)


@pytest.mark.parametrize(
    "annotation, value",
    [
        (Item, Gift(sku="a", message="m")),
        (Order, Order(items=[Gift(sku="b", message="m")])),
        (Hidden, Hidden(hidden=2)),
        (Price, Price(cents=5)),
        (None, {(1, 2): "a"}),
        (dict[str, int], {"a\ud800": 1}),
    ],
)
def test_an_output_that_would_lose_something_is_an_error(annotation: object, value: object) -> None:
    """The caller's `result()` returned a base class without its fields."""
    with pytest.raises(OutputError):
        OutputType(None if annotation is None else Annotation("The output", annotation, {})).dump(value)


def test_data_is_stored_as_it_was_given() -> None:
    """The dashboard shows, and a replay sends, the words of the caller."""
    assert payload_of(Price).dump({"cents": "5"}) == b'{"cents":"5"}'


def test_an_instant_that_was_ahead_at_the_trigger_may_have_passed_at_the_start() -> None:
    """Every delayed run of such a payload failed."""
    subject = payload_of(Later)
    passed = b'{"at":"2001-01-01T00:00:00Z","others":["2001-01-01T00:00:00Z"]}'
    assert subject.load(passed) == Later.model_construct(
        at=datetime(2001, 1, 1, tzinfo=UTC), others=[datetime(2001, 1, 1, tzinfo=UTC)]
    )
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert arrives(Later, Later(at=soon)).at == soon


def test_a_value_that_each_validation_makes_anew_is_the_same_in_each_attempt() -> None:
    """A default id that changed with each attempt would charge a customer twice."""
    subject = payload_of(Numbered)
    document = subject.dump({})
    assert subject.load(document) == subject.load(document)


def test_a_validator_of_the_whole_model_acts_once() -> None:
    """`mode="before"` of a model sees what was given, as a field's does."""

    class Doubled(BaseModel):
        a: int

        @model_validator(mode="before")
        @classmethod
        def _double(cls, data: dict[str, int]) -> dict[str, int]:
            return {"a": data["a"] * 2}

    assert arrives(Doubled, {"a": 2}).a == 4


@pytest.mark.parametrize(
    "annotation, is_certain",
    [
        (Item, True),
        (Order, True),
        (Node, True),
        (Point, True),
        (list[dict[str, Item]], True),
        (Literal["a", "b"], True),
        (Price, False),
        (Hidden, False),
        (Cat | Dog, False),
        (Any, False),
        (Secretive, False),
    ],
)
def test_plain_types_need_no_comparison(annotation: object, is_certain: bool) -> None:
    """The comparison takes three times as long as the writing, and most types are plain."""
    schema = cast("Callable[[object], TypeAdapter[object]]", TypeAdapter)(annotation).core_schema
    assert (survival(schema) is not None) is is_certain


def test_a_type_that_is_strict_takes_its_json() -> None:
    """In strict mode pydantic takes a date as text from JSON only, and the worker reads JSON."""

    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        on: date

    assert arrives(Strict, {"on": "2030-01-01"}).on == date(2030, 1, 1)
    with pytest.raises(ValidationError):
        Strict.model_validate({"on": "2030-01-01"})


@pytest.mark.parametrize("annotation", [int, Any, dict[str, int], Item, list[Decimal | int]])
def test_an_integer_that_no_parser_reads_is_refused(annotation: object) -> None:
    """Each reader of the run failed, and with it each list that held the run."""
    huge = 10**5000
    for given in (huge, {"n": huge}, [huge], Item.model_construct(sku=huge)):  # type: ignore[arg-type]  # on purpose
        with pytest.raises(PayloadError):
            payload_of(annotation).dump(given)
        with pytest.raises(OutputError):
            OutputType(Annotation("The output", annotation, {})).dump(given)
        with pytest.raises(OutputError, match=r"4,300 digits|of type"):
            OutputType(None).dump(given)


def test_what_is_nested_too_deeply_for_a_parser_is_refused() -> None:
    """It could be written and never read."""
    value: object = 1
    for _ in range(201):
        value = [value]
    with pytest.raises(PayloadError):
        payload_of(Any).dump(value)
    with pytest.raises(OutputError, match="nested"):
        OutputType(None).dump(value)
