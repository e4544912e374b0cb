"""The settings of taskflow in those of a Flask app: ``app.config["TASKFLOW_REDIS_URL"]``."""

from pathlib import Path
from typing import cast

from flask import Flask

from taskflow import guard_of_tests
from taskflow.contrib.flask.app_context import APP
from taskflow.errors import SettingsError
from taskflow.settings import Settings
from taskflow.settings_sources import FRAMEWORK, PREFIX, FrameworkSettings


def make_current(app: Flask) -> None:
    """Make an app the one of this process, and read its settings. If they are refused, nothing has changed.

    Apps of tests may follow each other with settings of their own, as factories make them.

    Raises:
        SettingsError: A setting is wrong, or another app of this process has other settings.
    """
    before, read_before = APP.app, FRAMEWORK.read
    others = None if before is None or before is app or guard_of_tests.is_in_tests() else Settings.read()
    APP.app, FRAMEWORK.read = app, read_app
    try:
        settings = Settings.read()
        if before is not None and others is not None and settings != others:
            raise _refusal(before, others, app, settings)
    except SettingsError:
        APP.app, FRAMEWORK.read = before, read_before
        raise


def _refusal(before: Flask, others: Settings, app: Flask, settings: Settings) -> SettingsError:
    fields = [name for name in Settings.model_fields if getattr(others, name) != getattr(settings, name)]
    names = ", ".join(f"{PREFIX}{name.upper()}" for name in fields)
    return SettingsError(
        f"The Flask apps {before.name!r} and {app.name!r} of this process have different values of {names}. A process "
        "has one store and one set of settings, so that runs of one app would be made in the store of the other. Give "
        "both apps the same values, or serve each in a process of its own."
    )


def read_app() -> FrameworkSettings:
    """Return the settings of the app of this process, and the folder in which its module or package lies.

    The app of the current context does not count: a process has one store, whichever app's view uses it first.
    """
    app = APP.app
    if app is None:
        return FrameworkSettings("in app.config", {})
    config = cast("dict[str, object]", app.config)
    values = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    return FrameworkSettings(f"in app.config of the Flask app {app.name!r}", values, _folder(app.root_path))


def _folder(root: str) -> Path | None:
    """Return the folder of the topmost package. An installed app belongs to the project in which it is called."""
    folder = Path(root)
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return None if "site-packages" in folder.parts else folder
