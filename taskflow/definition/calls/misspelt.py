"""Say which option was meant where Python would only say that there is none of that name."""

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from taskflow.definition.suggestions import did_you_mean
from taskflow.errors import TriggerOptionError

Given = ParamSpec("Given")
ReturnT = TypeVar("ReturnT")


def names_options(verb: Callable[Given, ReturnT]) -> Callable[Given, ReturnT]:
    """Turn the TypeError for an option that a verb does not have into one with the remedy. Costs nothing otherwise.

    The verb then raises ``TriggerOptionError`` for it, before anything is done.
    """
    found = inspect.signature(verb).parameters
    named = [name for name, each in found.items() if each.kind is each.KEYWORD_ONLY] or [*found]

    @functools.wraps(verb)
    def checked(*args: Given.args, **kwargs: Given.kwargs) -> ReturnT:
        try:
            return verb(*args, **kwargs)
        except TypeError:
            for option, value in kwargs.items():
                if option not in found:
                    raise TriggerOptionError(option, value, _remedy(option, named)) from None
            raise

    return checked


def _remedy(option: str, known: list[str]) -> str:
    return f"There is no such option. {did_you_mean(option, known, 'options')}"
