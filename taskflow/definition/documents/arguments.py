"""The arguments of one call of a task with several parameters, as a value: an item of a batch, for example."""

from collections.abc import Mapping
from typing import Generic, ParamSpec

Params = ParamSpec("Params")


class Arguments(Generic[Params]):
    """The arguments of one call, by parameter. Made by ``task.arguments(...)``, which binds them.

    Attributes:
        values: The given arguments by the names of their parameters. Defaults are not among them.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        """Wrap bound arguments. Users call ``task.arguments(...)`` instead."""
        self.values = dict(values)

    def __eq__(self, other: object) -> bool:
        return self.values == other.values if isinstance(other, Arguments) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like the dict that it holds

    def __repr__(self) -> str:
        return f"Arguments({', '.join(self.values)})"  # names only: values stay out of logs
