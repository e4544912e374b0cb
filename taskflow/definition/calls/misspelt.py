"""Name the option that was probably meant, where Python would only refuse the misspelt one."""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import ParamSpec, TypeVar

from taskflow.definition.celery_habits import TRIGGER_OPTIONS
from taskflow.errors import TriggerOptionError
from taskflow.suggestions import did_you_mean

Given = ParamSpec("Given")
ReturnT = TypeVar("ReturnT")


def refuse_unknown(options: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse an option that a verb does not have.

    Raises:
        TriggerOptionError: An option is unknown. The message names the nearest one.
    """
    for option, value in options.items():
        if option not in known:
            instead = TRIGGER_OPTIONS.get(option) or did_you_mean(option, known, "options")
            remedy = f"There is no such option. {instead}"
            raise TriggerOptionError(option, value, remedy)


def names_options(function: Callable[Given, ReturnT]) -> Callable[Given, ReturnT]:
    """Turn the TypeError for an unknown option of a function into ``refuse_unknown``'s. Costs nothing otherwise."""
    known = [*inspect.signature(function).parameters]

    @functools.wraps(function)
    def checked(*args: Given.args, **kwargs: Given.kwargs) -> ReturnT:
        try:
            return function(*args, **kwargs)
        except TypeError:
            refuse_unknown(kwargs, known)
            raise

    return checked
