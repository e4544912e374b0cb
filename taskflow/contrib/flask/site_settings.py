"""The settings of taskflow in those of a Flask app: ``app.config["TASKFLOW_REDIS_URL"]``."""

from pathlib import Path
from typing import cast

from taskflow.contrib.flask.app_context import this_app
from taskflow.settings_sources import PREFIX, FrameworkSettings


def read_app() -> FrameworkSettings:
    """Return the settings, and the folder in which the app's module or package lies."""
    app = this_app()
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
