"""Loading the Flask app of a command as ``flask`` does: by name, by FLASK_APP, or from ``wsgi.py`` or ``app.py``."""

import os
from typing import Final

from click import ClickException
from flask.cli import ScriptInfo, load_dotenv
from flask.helpers import get_load_dotenv

from taskflow.contrib.flask.app_context import APP, EXTENSION
from taskflow.definition.importing import ModuleImportError, explained
from taskflow.errors import SettingsError

_REMEDY: Final = (
    "Check TASKFLOW_FLASK_APP or FLASK_APP, and the folder from which you call. TASKFLOW_FLASK_APP=none makes taskflow "
    "leave the app alone."
)


def enter_app(name: str) -> bool:
    """Load an app, "" for the one that Flask finds, and return whether it has the extension.

    ``.env`` and ``.flaskenv`` are put into the environment first, as by ``flask run``, so that both read one setting.

    Raises:
        SettingsError: There is no such app, or its import raises.
    """
    if APP.app is not None:
        return True  # by the command of the app itself
    if get_load_dotenv(True):
        load_dotenv()
    try:
        app = ScriptInfo(app_import_path=name or _named(), set_debug_flag=False).load_app()
    except SettingsError:
        raise
    except ClickException as missing:
        raise SettingsError(f"The Flask app {name!r} can't be loaded: {missing.format_message()} {_REMEDY}") from None
    except Exception as error:
        raise ModuleImportError("Flask app", name or "app", f"{explained(error)}\n{_REMEDY}") from error
    if EXTENSION not in app.extensions:
        return False
    APP.app = app  # its module may have made others after it
    return True


def _named() -> str | None:
    return os.environ.get("FLASK_APP") or None
