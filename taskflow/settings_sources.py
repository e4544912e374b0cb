"""The places that settings are written in, the later ones winning.

They are ``pyproject.toml``, ``.env``, the settings of a web framework, and the environment.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.errors import SettingsError
from taskflow.project import Project, find_project
from taskflow.suggestions import did_you_mean, near_miss

log = logging.getLogger("taskflow.settings")
PREFIX: Final = "TASKFLOW_"
_PATHS: Final = ("home", "object_store")
_SQLITE: Final = "sqlite:///"
_named: set[str] = set()


@dataclass(frozen=True, slots=True)
class Written:
    """The value of a setting as somebody has written it, and the place where."""

    value: object
    place: str


@dataclass(frozen=True, slots=True)
class FrameworkSettings:
    """The settings that a web framework's own configuration holds.

    Attributes:
        place: Where, for messages: "in TASKFLOW of shop.settings".
        values: The values by name, in capitals or not.
        folder: The site's folder, from which its project is found and paths start; None: the working folder.
    """

    place: str
    values: Mapping[str, object]
    folder: Path | None = None


class _Framework:
    """The framework of this process. Its room in ``contrib/`` sets ``read``."""

    def __init__(self) -> None:
        self.read: Callable[[], FrameworkSettings] | None = None


FRAMEWORK: Final = _Framework()


def this_project() -> Project:
    """Return the project of the framework's site, or of the working folder.

    Raises:
        SettingsError: The working folder is gone.
    """
    site = FRAMEWORK.read() if FRAMEWORK.read else None
    if site and site.folder:
        return find_project(site.folder)
    try:
        return find_project(Path.cwd())
    except FileNotFoundError:
        raise SettingsError("The working folder of this process was deleted. Start it in another one.") from None


def read_sources(known: Collection[str]) -> dict[str, Written]:
    """Return every setting that is written somewhere, by its field's name.

    Paths that a file holds start at the file's folder, so that they do not depend on the working folder.

    Raises:
        SettingsError: A file can't be read, or ``[tool.taskflow]`` or the framework has a key that is not a setting.
    """
    project = this_project()
    found = _from_table(project, known)
    variables, dotenv = _dotenv(project), project.dotenv()
    found |= {
        name: Written(_anchored(name, value, dotenv.parent) if dotenv else value, f"in {dotenv}")
        for name, value in _settings_of(variables, known).items()
    }
    found |= _from_framework(known)
    found |= {name: Written(value, "") for name, value in _settings_of(os.environ, known).items()}
    return found


def unknown_variables(known: Collection[str]) -> dict[str, str | None]:
    """Return the variables ``TASKFLOW_...`` that are no setting, each with the variable that it probably means."""
    names = {name.upper() for name in (*os.environ, *_dotenv(this_project())) if name.upper().startswith(PREFIX)}
    words = {name: name.removeprefix(PREFIX).lower() for name in sorted(names)}
    return {name: _meant(word, known) for name, word in words.items() if word not in known}


def warn_of_unknown_variables(known: Collection[str]) -> None:
    """Log a warning for each misspelt variable, once in a process."""
    for name, meant in unknown_variables(known).items():
        if meant and name not in _named:
            _named.add(name)
            log.warning("settings.unknown: %s is not a setting and has no effect. Did you mean %s?", name, meant)


def _meant(word: str, known: Collection[str]) -> str | None:
    """Return the variable that was meant. The name of other software, such as REDIS_PORT, is no near miss."""
    begins = [name for name in known if name.startswith(f"{word}_") or word.startswith(f"{name}_")]
    near = near_miss(word, known, at_least=0.8) or (begins[0] if len(begins) == 1 else None)
    return f"{PREFIX}{near.upper()}" if near else None


def _from_table(project: Project, known: Collection[str]) -> dict[str, Written]:
    try:
        found = project.table()
    except ValueError as unreadable:
        raise SettingsError(str(unreadable)) from None
    if found is None:
        return {}
    file, table = found
    place = f"in [tool.taskflow] of {file}"
    for name in table:
        if name not in known:
            raise SettingsError(f"{name!r}, {place}, is not a setting. {did_you_mean(name, known, 'settings')}")
    return {name: Written(_anchored(name, value, file.parent), place) for name, value in table.items()}


def _from_framework(known: Collection[str]) -> dict[str, Written]:
    if FRAMEWORK.read is None:
        return {}
    site, found = FRAMEWORK.read(), dict[str, Written]()
    for key, value in site.values.items():
        name = key.lower().removeprefix(PREFIX.lower())
        if name not in known:
            hint = did_you_mean(name, known, "settings")
            raise SettingsError(f"{key!r}, {site.place}, is not a setting. {hint}")
        text = str(value) if isinstance(value, Path) else value
        found[name] = Written(_anchored(name, text, site.folder) if site.folder else text, site.place)
    return found


def _settings_of(variables: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    words = {name.upper(): value for name, value in variables.items()}
    return {name: words[f"{PREFIX}{name.upper()}"] for name in known if f"{PREFIX}{name.upper()}" in words}


def _dotenv(project: Project) -> dict[str, str]:
    file = project.dotenv()
    if file is None:
        return {}
    from dotenv import dotenv_values  # comes with pydantic-settings; only a project with such a file needs it

    try:
        return {name: value for name, value in dotenv_values(file).items() if value is not None}
    except (OSError, ValueError) as unreadable:
        raise SettingsError(f"{file} can't be read: {unreadable}") from None


def _anchored(name: str, value: object, folder: Path) -> object:
    if not isinstance(value, str) or not value:
        return value
    if name in _PATHS and "://" not in value:
        return str(folder / value)
    if name == "database_url" and value.startswith(_SQLITE):
        return f"{_SQLITE}{folder / value.removeprefix(_SQLITE)}"
    return value
