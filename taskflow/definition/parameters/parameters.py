"""The parameters of a task that has several. A call fills them as Python does; its payload is a JSON object of them."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from taskflow.definition.context import Context
from taskflow.errors import PayloadError

_BY_NAME: Final = inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one task's function, except ``ctx``.

    Attributes:
        signature: Names, kinds and defaults, without annotations.
        takes_context: Whether the function's first parameter is ``ctx``.
    """

    task_id: str
    signature: inspect.Signature
    takes_context: bool

    @property
    def names(self) -> Sequence[str]:
        """The names in their order."""
        return tuple(self.signature.parameters)

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """Return the arguments of a call by parameter, as Python binds them. Defaults are left to the function.

        Raises:
            PayloadError: One is missing, is given twice or has no parameter. Types are not checked here.
        """
        try:
            return self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise PayloadError(self.task_id, f"{error}. The task takes {self.signature}.") from None

    def bind_some(self, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """Check arguments of a call of which some are not known yet.

        Raises:
            PayloadError: One is given twice or has no parameter.
        """
        try:
            self.signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise PayloadError(self.task_id, f"{error}. The task takes {self.signature}.") from None

    def split(self, values: Mapping[str, object]) -> tuple[tuple[object, ...], dict[str, object]]:
        """Return a payload's values as positional and keyword arguments."""
        bound = inspect.BoundArguments(self.signature, OrderedDict(values))
        return bound.args, bound.kwargs

    def call(self, function: Callable[..., object], payload: object, ctx: Context) -> object:
        """Call the function with the payload's fields."""
        args: list[object] = [ctx] if self.takes_context else []
        kwargs: dict[str, object] = {}
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is _BY_NAME:
                kwargs[name] = getattr(payload, name)
            else:
                args.append(getattr(payload, name))
        return function(*args, **kwargs)
