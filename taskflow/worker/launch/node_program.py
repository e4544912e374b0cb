"""The program of a node that ``taskflow worker`` starts: ``celery``, after the app's module was imported.

A module that cannot be imported, for example since a deployment under a running worker, costs a line at each start of
the node, and not a traceback of Celery's command. The commands that other packages add to ``celery`` are not loaded.
"""

import importlib
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Any, Final

from celery.__main__ import main as celery

from taskflow.definition.importing import ModuleImportError, import_user_module
from taskflow.errors import TaskflowError
from taskflow.texts import visible

_PLUGINS: Final = "celery.commands"


def main() -> None:
    """Run ``celery`` with the arguments of this process."""
    arguments = sys.argv
    if "-A" in arguments[:-1]:
        module = arguments[arguments.index("-A") + 1].partition(":")[0]
        try:
            import_user_module(module, what="app module", remedy="Check -A.")
        except ModuleImportError as error:
            sys.exit(f"Error: {visible(str(error))}")
        except TaskflowError:  # Celery finds the app in another way, or shows why not
            pass
    load_command()
    celery()


def load_command() -> None:
    """Import Celery's command without those that other packages add: Flower's imports a web server, for no node."""
    module: Any = metadata
    entry_points = module.entry_points

    def other_entry_points(**wanted: Any) -> Iterable[Any]:
        found: Iterable[Any] = () if wanted.get("group") == _PLUGINS else entry_points(**wanted)
        return found

    module.entry_points = other_entry_points
    try:
        importlib.import_module("celery.bin.celery")
    finally:
        module.entry_points = entry_points


if __name__ == "__main__":
    main()
