"""Errors cross the borders of processes: pickled, copied or sent, each keeps its message and its attributes."""

import copy
import inspect
import multiprocessing
import pickle
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final

import pytest
from celery.utils.serialization import get_pickleable_exception

from taskflow.errors import PayloadTooLargeError, StoreUnavailableError, StreamClosedError, Suspended, TaskflowError
from taskflow.history.database import RefusedError
from taskflow.models import BatchError
from taskflow.worker.launch.plan import PlanError

SAMPLES: Final[dict[object, Callable[[str], object]]] = {
    str: lambda name: f"the {name}",
    str | None: lambda name: f"the {name}",
    int: len,
    float: lambda name: len(name) + 0.5,
    bool: lambda name: name != "is_false",
    object: lambda name: {name: [1, 2]},
    timedelta: lambda name: timedelta(seconds=len(name)),
    Sequence[str]: lambda name: [f"{name} {number}" for number in range(3)],
    "Sequence[BatchError]": lambda name: [BatchError(index, "t", "ValueError", name) for index in range(5)],
}
"""A value for each type of parameter. It depends on the parameter's name, so that no two of them can be exchanged."""


class OutOfStockError(TaskflowError):
    """An error of an application, which keeps more than its message."""

    def __init__(self, item: str, *, wanted: int, left: int = 0) -> None:
        self.item, self.wanted, self.left = item, wanted, left
        super().__init__(f"{left} of {wanted} {item} are left.")


class StockUnreachableError(OutOfStockError, TimeoutError):
    """OSErrors are made in another way than other exceptions."""


def _tree(kind: type[TaskflowError]) -> Iterator[type[TaskflowError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


KINDS: Final = sorted(
    {kind for kind in _tree(TaskflowError) if kind.__module__.partition(".")[0] == "taskflow"}
    | {OutOfStockError, StockUnreachableError},
    key=lambda kind: kind.__name__,
)


def _an_error(kind: type[BaseException]) -> BaseException:
    """Make one with a value for every parameter, the keyword-only ones and those with defaults too."""
    args: list[object] = []
    options: dict[str, object] = {}
    for parameter in [*inspect.signature(kind.__init__).parameters.values()][1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            args.append("What happened.")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            options[parameter.name] = SAMPLES[parameter.annotation](parameter.name)
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            args.append(SAMPLES[parameter.annotation](parameter.name))
    return kind(*args, **options)


def _facts(error: BaseException) -> object:
    return type(error), str(error), error.args, vars(error)


def _sent(error: BaseException) -> BaseException:
    """Send it as multiprocessing does."""
    there, here = multiprocessing.Pipe()
    with there, here:
        there.send(error)
        received: BaseException = here.recv()
        return received


@pytest.mark.parametrize("kind", [*KINDS, Suspended], ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_and_copying(kind: type[BaseException]) -> None:
    """A caller in another process reads the same message and the same attributes."""
    error = _an_error(kind)
    error.add_note("seen twice")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert _facts(pickle.loads(pickle.dumps(error, protocol))) == _facts(error)
    assert _facts(copy.copy(error)) == _facts(copy.deepcopy(error)) == _facts(error)
    assert _facts(_sent(error)) == _facts(error)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_celery_sends_every_error_as_it_is(kind: type[TaskflowError]) -> None:
    """It replaces what cannot be pickled by a text."""
    error = _an_error(kind)
    assert isinstance(error, Exception)
    assert get_pickleable_exception(error) is error


def test_the_tree_has_every_error() -> None:
    """The tests above would pass with an empty list, too."""
    assert {PayloadTooLargeError, StreamClosedError, RefusedError, PlanError} < set(KINDS)
    assert len(KINDS) > 40


def test_an_error_that_was_changed_is_sent_as_it_is_now() -> None:
    """Its constructor, which would know nothing of that, is not called again."""
    error = OutOfStockError("screws", wanted=5)
    error.left = 3
    error.args = ("3 of 5 screws are left.",)
    again = pickle.loads(pickle.dumps(error))
    assert (again.left, str(again)) == (3, "3 of 5 screws are left.")


def test_raised_from_another_an_error_can_be_pickled() -> None:
    """The other one may hold anything, for example a socket: it stays behind."""
    error = _an_error(OutOfStockError)
    error.__cause__ = ValueError(lambda: None)
    again = pickle.loads(pickle.dumps(error))
    assert (_facts(again), again.__cause__) == (_facts(error), None)


def test_a_reason_that_ends_with_a_full_stop_gets_no_second_one() -> None:
    """Redis writes its reasons as sentences."""
    assert "refused. Check" in str(StoreUnavailableError("Error 111: Connection refused."))
