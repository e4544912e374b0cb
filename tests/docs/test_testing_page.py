"""The page about tests: each of its blocks is a module of tests, and passes under pytest."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "how-to" / "testing.md"
NOT_RUN: Final = "<!-- not run"


@pytest.mark.timeout(120)
def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    """A reader copies a block and it works: in place, and with the workers that its fixture asks for."""
    blocks = re.findall(r"^([^\n]*)\n```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: list[str] = []
    for number, (before, code) in enumerate(blocks):
        if NOT_RUN not in before:
            names.append(f"test_block_{number}.py")
            (tmp_path / names[-1]).write_text(code)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_taskflow", "-p", "pytest_asyncio.plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *names],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(names) >= 6
