"""An environment with the newest Django, for machines whose Python is too old for it: Django 6 needs Python 3.12."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import django
import pytest

from tests.support.fleet import ROOT

NEWEST: Final = "6.0"
_DJANGO: Final = f"django~={NEWEST}.0"
_EXTRAS: Final = ("server", "postgres")
_INTERPRETERS: Final = ("python3.13", "python3.12", "python3.14")
_PLACES: Final = (Path.home() / ".pyenv" / "versions",)


def installed_django() -> str:
    """Return the version of the Django that is installed beside the tests: "5.2"."""
    return ".".join(map(str, django.VERSION[:2]))


def newer_python() -> str:
    """Return the interpreter of an environment with the newest Django. It is made once, and kept in the tests' cache.

    The test is skipped where no interpreter is new enough.
    """
    if installed_django() == NEWEST:
        return sys.executable
    interpreter = _interpreter()
    if interpreter is None:
        pytest.skip(f"Django {NEWEST} needs Python 3.12 or later, and there is none")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in _EXTRAS), interpreter]
    digest = hashlib.sha256(repr(needs).encode()).hexdigest()[:12]
    folder = Path(sys.prefix) / ".cache" / f"django-{NEWEST}-{digest}"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "newer-django.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one test run share it
        if not (folder / "ready").exists():
            _make(interpreter, folder)
    return str(folder / "bin" / "python")


def _make(interpreter: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = [_DJANGO, "uvicorn", f"{ROOT}[{','.join(_EXTRAS)}]"]
    # The pip of the tests' environment installs; most modules of the packages are never imported, nor compiled so.
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q", "--no-compile"]
    subprocess.run([*pip, "--disable-pip-version-check", *packages], check=True, capture_output=True, timeout=600)
    (folder / "ready").touch()


def _interpreter() -> str | None:
    """Return the first interpreter that starts; a shim may be there whose version is not active."""
    found = [shutil.which(name) for name in _INTERPRETERS]
    for place in _PLACES:
        found += [str(path) for path in sorted(place.glob("3.1[2-4].*/bin/python3"))]
    return next((path for path in found if path and _starts(path)), None)


def _starts(path: str) -> bool:
    done = subprocess.run([path, "-c", "import sys, venv; assert sys.version_info >= (3, 12)"], capture_output=True)
    return done.returncode == 0
