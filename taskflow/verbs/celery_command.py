"""The app of ``celery -A shop.tasks``, where ``shop.tasks`` only declares tasks.

Celery's command imports the named module and looks for an attribute ``app`` or ``celery``. The first ``@task`` that is
declared meanwhile gives the module such an attribute, unless it makes one itself. No other process is touched.
"""

import os
import sys
from collections.abc import Callable
from itertools import zip_longest
from types import ModuleType
from typing import Final

_COMMAND: Final = "celery.bin.celery"
_NAMES: Final = ("app", "celery")


def offer_app() -> None:
    """Let the module that ``-A`` names have the app of the project. Called when a task is declared."""
    if _COMMAND not in sys.modules:
        return
    module = sys.modules.get(_named(sys.argv[1:]) or os.environ.get("APP", ""))
    if module is not None and "__getattr__" not in vars(module):
        vars(module)["__getattr__"] = _attribute_of(module)


def _named(words: list[str]) -> str:
    """Return the value of ``-A`` or ``--app``, "" when there is none."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if word in ("-A", "--app"):
            return following
        for begin in ("--app=", "-A"):
            if word.startswith(begin):
                return word.removeprefix(begin)
    return ""


def _attribute_of(module: ModuleType) -> Callable[[str], object]:
    def find(name: str) -> object:
        if name not in _NAMES or any(map(_is_celery_app, vars(module).values())):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        from taskflow.app import TaskFlow

        return TaskFlow(tasks=[module.__name__]).set_default().celery

    return find


def _is_celery_app(value: object) -> bool:
    """Whether a module has an app under a name of its own, which Celery finds, too."""
    return any((kind.__module__, kind.__name__) == ("celery.app.base", "Celery") for kind in type(value).__mro__)
