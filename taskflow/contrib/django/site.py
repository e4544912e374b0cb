"""Finding the Django site of a command and setting it up. Imports Django only where there is a site."""

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Final

from taskflow.definition.importing import ModuleImportError, explained, import_user_module
from taskflow.errors import SettingsError
from taskflow.settings import Settings
from taskflow.settings_sources import read_sources, this_project

APP: Final = "taskflow.contrib.django"
FLEET: Final = f"{APP}.fleet"
"""The module with the Celery app of a site, for ``celery -A``."""
VARIABLE: Final = "DJANGO_SETTINGS_MODULE"
_IN_MANAGE: Final = re.compile(r"""["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")
_REMEDY: Final = (
    "Check DJANGO_SETTINGS_MODULE and the folder from which you call. TASKFLOW_DJANGO_SETTINGS=none makes taskflow "
    "leave the site alone."
)


def enter_site() -> bool:
    """Set Django up, if the working folder belongs to a site that has taskflow among its apps.

    The settings module is that of TASKFLOW_DJANGO_SETTINGS (or ``[tool.taskflow]``), else DJANGO_SETTINGS_MODULE, else
    that of the nearest ``manage.py``. Returns whether there is such a site.

    Raises:
        SettingsError: The settings, or an app of the site, can't be imported.
    """
    name, folder = _settings_module()
    if not name or importlib.util.find_spec("django") is None:
        return False
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    if not _has_taskflow(name):
        if before is None:
            del os.environ[VARIABLE]  # Celery would set a site up that does not use taskflow
        return False
    _set_up(name)
    return True


def _settings_module() -> tuple[str, Path | None]:
    """Return the name of the settings module, "" for none, and the folder of the ``manage.py`` that names it."""
    written = read_sources(Settings.model_fields).get("django_settings")
    if written is not None:
        name = str(written.value)
        return ("" if name == "none" else name), _folder_of_manage()
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE], None
    folder = _folder_of_manage()
    if folder is None:
        return "", None
    named = _IN_MANAGE.search((folder / "manage.py").read_text(encoding="utf-8", errors="replace"))
    return (named[1] if named else ""), folder


def _folder_of_manage() -> Path | None:
    return next((folder for folder in this_project().path if (folder / "manage.py").is_file()), None)


def _has_taskflow(name: str) -> bool:
    module = import_user_module(name, what="Django settings module", remedy=_REMEDY)
    apps = getattr(module, "INSTALLED_APPS", ())
    return any(app == APP or str(app).startswith(f"{APP}.apps") for app in apps)


def _set_up(name: str) -> None:
    import django
    from django.apps import apps

    if apps.ready:
        return
    try:
        django.setup()
    except SettingsError:
        raise
    except Exception as error:
        raise ModuleImportError("Django site of", name, explained(error)) from error
