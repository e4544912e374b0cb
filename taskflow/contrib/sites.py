"""Finding the web site that a command belongs to. Imports a framework only where there is a site of it."""

import importlib.util
import os
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from taskflow.contrib.django import site as django_site
from taskflow.settings import Settings
from taskflow.settings_sources import read_sources

_FLASK: Final = "taskflow.contrib.flask"
FLASK_FLEET: Final = f"{_FLASK}.fleet"
"""The module with the Celery app of a Flask site, for ``celery -A``."""
_FLASK_FILES: Final = ("wsgi.py", "app.py")
"""The files in which Flask's own command looks for an app."""


def enter_site() -> str:
    """Set up the site of the working folder, and return the module with its Celery app; "" without a site.

    Raises:
        SettingsError: The site can't be imported.
    """
    if django_site.enter_site():
        return django_site.FLEET
    name = _flask_app()
    if name is None or importlib.util.find_spec("flask") is None:
        return ""
    loading: Any = import_module(f"{_FLASK}.site")  # by its name: the package imports Flask
    return FLASK_FLEET if loading.enter_app(name) else ""


def _flask_app() -> str | None:
    """Return the name of the Flask app, "" for the one that Flask finds by itself; None for none.

    A file in the working folder counts only if it has taskflow, because others of its name belong to anything.
    """
    written = read_sources(Settings.model_fields).get("flask_app")
    if written is not None:
        return None if written.value == "none" else str(written.value)
    if os.environ.get("FLASK_APP"):
        return os.environ["FLASK_APP"]
    files = [Path(name) for name in (*_FLASK_FILES, ".flaskenv", ".env") if Path(name).is_file()]
    texts = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files}
    is_named = any("FLASK_APP" in texts.get(name, "") for name in (".flaskenv", ".env"))
    return "" if is_named or any(_FLASK in texts.get(name, "") for name in _FLASK_FILES) else None
