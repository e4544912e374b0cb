"""Outputs: by the return annotation, or by what the value is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Never, NoReturn

import pytest
from pydantic import BaseModel

from taskflow.definition.documents.payload import OutputType
from taskflow.errors import OutputError
from taskflow.verbs.decorator import task

UNANNOTATED = object()


class Invoice(BaseModel):
    url: str
    pages: int = 1


@dataclass
class Point:
    x: int


BROKEN = Invoice(url="a")
vars(BROKEN)["pages"] = "many"  # a type checker does not see this


def output_of(annotation: object) -> OutputType:
    """Return the output type of a task with this return annotation."""

    def function(): ...  # type: ignore[no-untyped-def]  # the annotation is the parameter

    if annotation is not UNANNOTATED:
        function.__annotations__["return"] = annotation
    declare: Callable[..., Any] = task(id="subject")
    made: OutputType = declare(function).definition.output
    return made


@pytest.mark.parametrize(
    "annotation, value",
    [
        (Invoice, Invoice(url="a")),
        (list[Invoice], [Invoice(url="a")]),
        (Invoice | None, None),
        (None, None),
        (datetime, datetime(2030, 1, 1, tzinfo=UTC)),
        (dict[str, Point], {"a": Point(1)}),
        (UNANNOTATED, {"a": [1, None]}),
        (Any, "text"),
    ],
)
def test_the_caller_gets_what_the_task_returned(annotation: object, value: object) -> None:
    """`handle.result()` is typed by the annotation; the value must be of that type."""
    subject = output_of(annotation)
    assert subject.load(subject.dump(value)) == value


def test_without_annotation_models_and_dates_become_json() -> None:
    """A task without types can still return what its library gave it."""
    value = [Invoice(url="a"), Point(2), datetime(2030, 1, 1)]
    assert output_of(UNANNOTATED).dump(value) == b'[{"url":"a","pages":1},{"x":2},"2030-01-01T00:00:00"]'


@pytest.mark.parametrize(
    "annotation, value, place",
    [
        (list[int], [1, "x"], r"\$\[1\] is of type str"),
        (Invoice, {"url": "a"}, r"\$ is of type dict"),
        (Invoice, BROKEN, r"\$\.pages is of type str"),
        (None, 3, r"\$ is of type int"),
        (Invoice, None, r"\$: Input should be an object"),
        (dict[str, Any], {"items": [{"file": object()}]}, r"\$\.items\[0\]\.file is of type object"),
        (float, float("nan"), r"\$ is nan"),
        (UNANNOTATED, {"items": [1, {"file": print}]}, r"\$\.items\[1\]\.file is of type builtin_function"),
        (UNANNOTATED, {"a b": {1: b"\xff"}}, r"\$\['a b'\]\['1'\] is of type bytes and not UTF-8"),
        (UNANNOTATED, [float("inf")], r"\$\[0\] is inf"),
    ],
)
def test_a_value_that_cannot_be_stored_names_its_place_and_type(annotation: object, value: object, place: str) -> None:
    """The run has done its work: the message must be enough to repair the task without running it again."""
    with pytest.raises(OutputError, match=place):
        output_of(annotation).dump(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """A search for the place must end, too."""
    value: list[object] = []
    value.append({"again": value})
    with pytest.raises(OutputError, match=r"\$\[0\]\.again contains itself"):
        output_of(UNANNOTATED).dump(value)


def test_a_mismatch_does_not_tell_the_value() -> None:
    """Errors of runs are shown on the dashboard and logged."""
    with pytest.raises(OutputError) as refused:
        output_of(list[int]).dump(["hunter2"])
    assert "hunter2" not in str(refused.value)


def test_an_output_of_another_version_says_so() -> None:
    """A caller with newer types must not get a bare validation error."""
    with pytest.raises(OutputError, match="Another version of the task"):
        output_of(Invoice).load(b'{"link":"a"}')


@pytest.mark.parametrize(
    "annotation, value, shown",
    [
        (UNANNOTATED, "a\udc80b", "a\\udc80b"),
        (str, "a\udc80b", "a\\udc80b"),
        (Any, {"a": [1.5, "b\ud800"]}, {"a": [1.5, "b\\ud800"]}),
        (UNANNOTATED, Invoice(url="a\udc80"), {"url": "a\\udc80", "pages": 1}),
        (Invoice, Invoice(url="a\udc80"), Invoice(url="a\\udc80")),
    ],
)
def test_a_lone_surrogate_in_an_output_is_stored_so_that_it_is_seen(
    annotation: object, value: object, shown: object
) -> None:
    """It comes of file names that are no UTF-8. The work is done, so that its output is not thrown away."""
    subject = output_of(annotation)
    assert subject.load(subject.dump(value)) == shown
    with pytest.raises(OutputError):
        subject.dump(["\udc80", float("nan")])
    with pytest.raises(OutputError):
        subject.dump({"\udc80": 1, "\\udc80": 2})


@pytest.mark.parametrize("annotation", [NoReturn, Never])
def test_a_function_that_always_raises_may_say_so(annotation: object) -> None:
    """Pydantic has no schema for it, but a task or a step may be such a function."""
    assert output_of(annotation).dump(None) == b"null"
