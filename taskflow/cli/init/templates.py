"""The files of new projects, as data of the package: ``cli/templates/``, rendered by ``string.Template``."""

import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

_SUFFIX: Final = ".template"
_UNUSABLE: Final = re.compile("[^a-z0-9]+")


def rendered(path: str, /, **values: str) -> str:
    """Return a file's text. A placeholder without a value is an error.

    Args:
        path: Under ``cli/templates/``, without the suffix.
    """
    template = files("taskflow.cli").joinpath("templates", *f"{path}{_SUFFIX}".split("/"))
    return Template(template.read_text("utf-8")).substitute(values)


def project_values(folder: Path) -> dict[str, str]:
    """Return the values of a ``pyproject.toml``: the project's name, made of that of its folder, and our version."""
    name = _UNUSABLE.sub("-", folder.name.lower()).strip("-")
    return {"name": name or "my-project", "version": version("celery-taskflow")}
