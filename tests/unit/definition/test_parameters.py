"""Functions with several parameters: how a call fills them, what is stored, and which are refused at import."""

import json
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any, cast

import pytest
from pydantic import BaseModel, Field

from taskflow.definition.context import Context
from taskflow.definition.documents.arguments import Arguments
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import DefinitionError, PayloadError, TriggerOptionError
from taskflow.testing import context
from taskflow.verbs.decorator import task
from taskflow.verbs.kinds.parameters import ParametersTask
from taskflow.verbs.task import FunctionTask

untyped: Any = task


class Order(BaseModel):
    id: str


class Color(Enum):
    RED = "red"


@task(id="parameters-charge")
def charge(order_id: str, amount: Decimal = Decimal(1), *, note: str | None = None, tags: list[str] = ["a"]) -> object:  # noqa: B006 - what people write
    return [order_id, amount, note, tags]


@task(id="parameters-later")
def later(ctx: Context, first: "Later", second: "list[Later]") -> object:
    return [ctx.run.id, first, second]


class Later(BaseModel):
    name: str


def stored(definition: TaskDefinition, *args: object, **kwargs: object) -> bytes:
    """Return what a trigger stores."""
    assert definition.parameters
    assert definition.payload
    return definition.payload.dump(definition.parameters.bind(args, kwargs))


def run(definition: TaskDefinition, document: bytes) -> object:
    """Do with a stored payload what a worker does."""
    assert definition.payload
    return definition.invoke(definition.payload.load(document), context(run_id="run_1"))


CALLS: list[tuple[tuple[object, ...], dict[str, object], dict[str, object], list[object]]] = [
    (("o",), {}, {"order_id": "o"}, ["o", Decimal(1), None, ["a"]]),
    ((), {"order_id": "o"}, {"order_id": "o"}, ["o", Decimal(1), None, ["a"]]),
    (("o", "3.50"), {}, {"order_id": "o", "amount": "3.50"}, ["o", Decimal("3.50"), None, ["a"]]),
    (("o", Decimal("3.50")), {}, {"order_id": "o", "amount": "3.50"}, ["o", Decimal("3.50"), None, ["a"]]),
    (("o",), {"note": "n", "tags": []}, {"order_id": "o", "note": "n", "tags": []}, ["o", Decimal(1), "n", []]),
]


@pytest.mark.parametrize("args, kwargs, document, arguments", CALLS)
def test_the_payload_has_the_given_arguments_and_the_function_gets_all(
    args: tuple[object, ...], kwargs: dict[str, object], document: dict[str, object], arguments: list[object]
) -> None:
    """Defaults are not stored, so that a parameter may be added while older workers still run."""
    written = stored(charge.definition, *args, **kwargs)
    assert json.loads(written) == document
    assert run(charge.definition, written) == arguments
    given = cast("Any", charge.arguments)(*args, **kwargs)
    assert charge.definition.payload
    assert charge.definition.payload.dump(given) == written


@pytest.mark.parametrize(
    "args, kwargs, words",
    [
        ((), {}, "missing a required argument: 'order_id'"),
        (("o", 1, 2), {}, "too many positional arguments"),
        (("o",), {"order_id": "p"}, "multiple values for argument 'order_id'"),
        (("o",), {"amuont": 1}, "unexpected keyword argument 'amuont'"),
        (("o",), {"delay": "5m", "queue": "q"}, r"charge\.with_options\(delay=\.\.\., queue=\.\.\.\)\.trigger"),
        (("o", "much"), {}, "amount: Input should be a valid decimal"),
        ((5,), {}, "order_id: Input should be a valid string"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args: tuple[object, ...], kwargs: dict[str, object], words: str) -> None:
    """Before anything is written, with the names of the parameters."""
    payload = cast("Any", charge.definition.payload)
    with pytest.raises(PayloadError, match=words):
        payload.dump(cast("Any", charge.arguments)(*args, **kwargs))


def test_an_object_of_the_names_is_accepted_and_nothing_else() -> None:
    """A trigger over HTTP sends such an object."""
    payload = charge.definition.payload
    assert payload
    assert payload.dump({"order_id": "o"}) == b'{"order_id":"o"}'
    cases: list[tuple[object, str]] = [
        ({}, "order_id: Field required"),
        ({"order_id": "o", "more": 1}, "more: "),
        (["o"], "should be an object"),
    ]
    for wrong, words in cases:
        with pytest.raises(PayloadError, match=words):
            payload.dump(wrong)


def test_the_schema_is_an_object_with_the_names_of_the_parameters() -> None:
    """The dashboard's form and the OpenAPI document show it."""
    assert charge.definition.payload
    schema = cast("dict[str, Any]", charge.definition.payload.json_schema())
    assert (schema["type"], schema["title"], schema["required"]) == ("object", "ChargePayload", ["order_id"])
    assert schema["additionalProperties"] is False
    defaults = {name: field.get("default", "none") for name, field in schema["properties"].items()}
    assert defaults == {"order_id": "none", "amount": "1", "note": None, "tags": ["a"]}


def test_annotations_may_name_what_is_defined_later() -> None:
    """As with one payload, they are resolved on first use."""
    document = stored(later.definition, Later(name="a"), second=[{"name": "b"}])
    assert json.loads(document) == {"first": {"name": "a"}, "second": [{"name": "b"}]}
    assert run(later.definition, document) == ["run_1", Later(name="a"), [Later(name="b")]]


def test_an_annotation_that_cannot_be_resolved_names_its_parameter() -> None:
    """Otherwise one of ten would have to be guessed."""

    def nowhere(a: int, b: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    made = untyped(id="parameters-nowhere")(nowhere)
    with pytest.raises(DefinitionError, match="The parameter 'b' of task 'parameters-nowhere'"):
        made.definition.prepare()


def positional(a: int, b: int = 2, /, c: int = 3) -> object:
    return (a, b, c)


def keyword(*, a: int, b: int = 2) -> object:
    return (a, b)


def sole_default(payload: Order | None = None) -> object:
    return payload


def odd_names(schema: int, json: int, model_config: int = 1, _hidden: int = 2, copy: Color = Color.RED) -> object:
    return (schema, json, model_config, _hidden, copy)


def default_without_json(a: int, b: Any = print) -> object:
    return (a, b is print)


def context_before_default(ctx: Context, days: int = 30) -> object:
    return (ctx.run.id, days)


@pytest.mark.parametrize(
    "function, args, kwargs, result",
    [
        (positional, (1,), {"c": 5}, (1, 2, 5)),
        (positional, (1, 7), {}, (1, 7, 3)),
        (keyword, (), {"a": 1}, (1, 2)),
        (sole_default, (), {}, None),
        (sole_default, (Order(id="o"),), {}, Order(id="o")),
        (odd_names, (1, 2), {}, (1, 2, 1, 2, Color.RED)),
        (odd_names, (1,), {"json": 3, "_hidden": 5, "copy": "red"}, (1, 3, 1, 5, Color.RED)),
        (default_without_json, (1,), {}, (1, True)),
        (context_before_default, (), {}, ("run_1", 30)),
        (context_before_default, (7,), {}, ("run_1", 7)),
    ],
)
def test_any_way_of_declaring_parameters_works(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object], result: object
) -> None:
    """Positional-only ones, keyword-only ones, and names that a model could not have."""
    made = untyped(id=f"parameters-{function.__name__}")(function)
    assert isinstance(made, ParametersTask)
    assert run(made.definition, stored(made.definition, *args, **kwargs)) == result
    assert made.definition.payload
    assert made.definition.payload.json_schema()["type"] == "object"


def one(payload: Order, ctx: Context) -> None: ...
def one_of_text(order_id: str) -> None: ...
def nothing() -> None: ...
def injected(payload: int, init: object, signal: object, ctx: Context) -> None: ...


@pytest.mark.parametrize("function", [one, one_of_text, nothing, injected])
def test_one_payload_stays_one_payload(function: Callable[..., object]) -> None:
    """A single parameter that must be given is the payload itself, not a field of one."""
    made = untyped(id=f"parameters-{function.__name__}")(function)
    assert isinstance(made, FunctionTask)
    assert made.definition.parameters is None


def many_stars(a: int, *rest: int) -> None: ...
def many_double_stars(a: int, b: int = 1, **rest: int) -> None: ...
def context_last(a: int, b: int, ctx: Context) -> None: ...
def context_by_name(a: int, b: int = 1, *, ctx: Context) -> None: ...
def renamed_context(a: int, context: Context) -> None: ...
def wrong_context(ctx: int, a: int = 1) -> None: ...
def with_init(a: int, b: int, init: object) -> None: ...
def with_signal(ctx: Context, a: int, b: int, signal: object) -> None: ...
def method(self: object, a: int, b: int) -> None: ...
def hidden(a: int, *, note: str = "") -> None: ...
def hidden_all(*, note: str = "") -> None: ...
def hidden_behind_context(ctx: Context, *, days: int) -> None: ...
def field_as_default(a: int, b: int = Field(default=3, gt=1)) -> None: ...
def self_behind(a: int, self: int) -> None: ...
def special_name(a: int, __dict__: int) -> None: ...


@pytest.mark.parametrize(
    "function, words",
    [
        (many_stars, r"parameters without names.*rest: list\[str\]"),
        (many_double_stars, "parameters without names"),
        (context_last, r"ctx is not the first.*def f\(ctx: Context, order_id, amount\)"),
        (context_by_name, "ctx is not the first"),
        (renamed_context, "Call the parameter ctx"),
        (wrong_context, "a ctx that is not a Context"),
        (with_init, "which has ctx.init"),
        (with_signal, "which has ctx.signal"),
        (method, "is a method"),
        (hidden, r"do not see.*without the \*, so that note"),
        (hidden_all, r"without the \*"),
        (hidden_behind_context, r"without the \*"),
        (field_as_default, r"default is a Field.*Write b: Annotated\[int, Field\(gt=0\)\] = 1"),
        (self_behind, "name of Python's own.*another name"),
        (special_name, "name of Python's own.*another name"),
    ],
)
def test_parameters_that_no_call_could_fill_are_refused_at_import(function: Callable[..., object], words: str) -> None:
    """Or whose types no checker could know."""
    with pytest.raises(DefinitionError, match=words) as refused:
        untyped(id="subject")(function)
    assert "'subject'" in str(refused.value)
    assert refused.value.remedy


def test_a_wrong_option_is_refused_where_it_is_given() -> None:
    """Not at the trigger, which may be elsewhere."""
    with pytest.raises(TriggerOptionError, match="Did you mean 'delay'"):
        cast("Any", charge).with_options(dealy="5m")


def test_arguments_show_names_and_no_values() -> None:
    """They may be secret, and a repr comes into logs."""
    arguments = charge.arguments("secret", note="secret")
    assert repr(arguments) == "Arguments(order_id, note)"
    assert arguments == charge.arguments(order_id="secret", note="secret")
    assert arguments != Arguments({})


def test_a_call_of_the_task_calls_the_function() -> None:
    """With its own signature, the context included."""
    assert charge("o", note="n") == ["o", Decimal(1), "n", ["a"]]
    assert later(context(run_id="run_2"), Later(name="a"), []) == ["run_2", Later(name="a"), []]
