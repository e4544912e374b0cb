"""A newcomer's environment: a virtual environment of its own that has the built wheel, and no way to the repository."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.support.fleet import ROOT

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True)
class Environment:
    """Programs of a virtual environment, and the variables with which they start."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a new shell in which the environment is active, with an empty home."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        path = f"{self.folder / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return {**kept, "PATH": path, "HOME": str(self.folder.parent), "COLUMNS": "200"}

    def run(self, *words: str, cwd: Path) -> str:
        """Return the output of a program, which succeeds."""
        done = subprocess.run(words, cwd=cwd, env=self.variables, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def check(self) -> None:
        """Make sure that the wheel is what is imported."""
        origins = "u.find_spec('taskflow').origin, u.find_spec('pytest_taskflow').origin"
        code = f"import importlib.util as u; print({origins}, sep='\\n')"
        for line in self.run("python", "-c", code, cwd=self.folder.parent).splitlines():
            assert Path(line).is_relative_to(self.folder), f"{line} is not in {self.folder}"


def build_wheel(folder: Path) -> Path:
    """Build the wheel by hatchling itself, so that nothing is fetched for an isolated build."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


def fresh_environment(folder: Path, wheel: Path, extras: str) -> Environment:
    """Make an environment as a newcomer does: everything is fetched and installed by pip."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    made = Environment(folder)
    made.run("python", "-m", "pip", "install", "--quiet", f"celery-taskflow[{extras}] @ {wheel.as_uri()}", cwd=folder)
    made.check()
    return made


def quick_environment(folder: Path, wheel: Path) -> Environment:
    """Make an environment with the wheel, whose dependencies are those of the environment of the tests.

    They are on its path by a ``.pth`` file. ``.pth`` files of the folder that it names do not count, so the editable
    install of the repository is not seen; ``check`` makes sure of that.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    made = Environment(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True, capture_output=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    made.check()
    return made
