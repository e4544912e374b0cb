"""Values of one attempt: set by a middleware or hook, read by the task and the code that it calls.

Each attempt starts with none. The values are in one dict behind a context variable, so that a value that a hook sets in
a thread of its own can be read everywhere.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar, cast

from taskflow.errors import LocalNotSetError

T = TypeVar("T")

_values: ContextVar[dict[str, object] | None] = ContextVar("taskflow_locals", default=None)


class Local(Generic[T]):
    """A typed slot in the attempt's values: ``Db = Local[Database]("db")``. Two with the same name are one slot."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Name the slot."""
        self.name = name

    def __repr__(self) -> str:
        return f"Local({self.name!r})"

    def set(self, value: T) -> T:
        """Set the value for the rest of the attempt, and return it.

        Raises:
            LocalNotSetError: There is no attempt here.
        """
        values = _values.get()
        if values is None:
            raise LocalNotSetError(self.name, "cannot be set outside of a run")
        values[self.name] = value
        return value

    def get(self) -> T | None:
        """Return the value, None when it is not set."""
        values = _values.get()
        return None if values is None else cast("T | None", values.get(self.name))

    def get_or_raise(self) -> T:
        """Return the value.

        Raises:
            LocalNotSetError: It is not set in this attempt, or there is no attempt here.
        """
        values = _values.get()
        if values is None:
            raise LocalNotSetError(self.name, "was asked for outside of a run")
        if self.name not in values:
            raise LocalNotSetError(self.name, "was not set in this attempt")
        return cast("T", values[self.name])


@contextmanager
def fresh_locals() -> Generator[None]:
    """Give the code inside values of its own, none at first."""
    token = _values.set({})
    try:
        yield
    finally:
        _values.reset(token)
