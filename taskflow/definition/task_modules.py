"""Import the modules that declare tasks, each after the ``init`` module beside it."""

import contextlib
import importlib.util
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from itertools import chain
from pathlib import Path
from typing import Final

from taskflow.definition.importing import import_user_module

_REMEDY: Final = "Check TASKFLOW_TASKS and that it is installed or in the working directory."


def import_task_modules(names: Iterable[str]) -> None:
    """Import modules in their order.

    Raises:
        SettingsError: A module does not exist, or its import raises.
    """
    for name in names:
        for module in chain(_init_beside(name), [name]):  # lazily, because to look into a package imports it
            import_user_module(module, what="task module", remedy=_REMEDY)


def _init_beside(name: str) -> Iterator[str]:
    """Find the ``init`` modules of a task module: beside it, and within it when it is a package."""
    with contextlib.suppress(Exception, SystemExit):  # explained when the module itself is imported
        spec = importlib.util.find_spec(name)
        package = name.rpartition(".")[0]
        beside = f"{package}.init" if package else "init"
        init = importlib.util.find_spec(beside)
        if init and (package or _folder(init) == _folder(spec)):  # any other top-level "init" is of another project
            yield beside
        if spec and spec.submodule_search_locations and importlib.util.find_spec(f"{name}.init"):
            yield f"{name}.init"


def _folder(spec: ModuleSpec | None) -> str | None:
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return str((origin.parent if origin.name == "__init__.py" else origin).parent)
