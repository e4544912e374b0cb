"""The program of a node that ``taskflow worker`` starts: ``celery``, after the app's module was imported.

A module that cannot be imported, for example since a deployment under a running worker, costs a line at each start of
the node, and not a traceback of Celery's command.
"""

import sys

from celery.__main__ import main as celery

from taskflow.definition.importing import ModuleImportError, import_user_module
from taskflow.errors import TaskflowError
from taskflow.texts import visible


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
    celery()


if __name__ == "__main__":
    main()
