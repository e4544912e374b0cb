"""System checks of a site: ``manage.py check``."""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db import connections

from taskflow import Settings, SettingsError, guard_of_tests

TAG: Final = "taskflow"
_MOST_BYTES: Final = 500_000


def register() -> None:
    """Register the checks."""
    checks.register(check_settings, TAG)
    checks.register(check_tasks, TAG)


def check_settings(**_: object) -> list[checks.CheckMessage]:
    """Check taskflow's settings, and what of the site's does not go with them."""
    try:
        read = Settings.read()
    except SettingsError as wrong:
        hint = "Correct it in TASKFLOW of the site's settings, or in the place that the message names."
        return [checks.Error(str(wrong), hint=hint, id="taskflow.E001")]
    found: list[checks.CheckMessage] = []
    is_real = not settings.DEBUG and not guard_of_tests.is_on()  # Django's test runner switches DEBUG off
    if is_real and not read.redis_url and not read.api_url:
        text = "The run store is the embedded one, which is for development, and DEBUG is off."
        hint = 'Set TASKFLOW = {"REDIS_URL": "redis://host:6379/0", "ENVIRONMENT": "prod"}.'
        found.append(checks.Warning(text, hint=hint, id="taskflow.W001"))
    if settings.DEBUG and read.environment != "dev":
        text = f"DEBUG is on in the environment {read.environment!r}: its runs may be those of a real site."
        hint = "Leave ENVIRONMENT out in development, or switch DEBUG off."
        found.append(checks.Warning(text, hint=hint, id="taskflow.W002"))
    is_atomic = [alias for alias in connections if connections[alias].settings_dict.get("ATOMIC_REQUESTS")]
    if is_atomic and not read.on_commit:
        text = (
            f"ATOMIC_REQUESTS is on for {', '.join(is_atomic)}, and ON_COMMIT is off: runs may start before the commit."
        )
        hint = "Leave ON_COMMIT on, and give on_commit=False to the triggers that must not wait."
        found.append(checks.Warning(text, hint=hint, id="taskflow.W003"))
    return found


def check_tasks(app_configs: Sequence[AppConfig] | None = None, **_: object) -> list[checks.CheckMessage]:
    """Find modules that declare tasks and that nothing imports, so that neither workers nor views know their tasks."""
    return [
        checks.Warning(
            f"{module} declares tasks and is not imported: workers do not know them.",
            hint=f"Move them to {config.name}.tasks, import the module there, or name it in TASKFLOW['TASKS'].",
            id="taskflow.W004",
        )
        for config in (apps.get_app_configs() if app_configs is None else app_configs)
        for module in _unknown_modules(config)
    ]


def _unknown_modules(config: AppConfig) -> Iterator[str]:
    folder = Path(config.path)
    if "site-packages" in folder.parts or config.name.startswith("taskflow."):
        return
    named = _named_modules()
    for file in sorted([*folder.glob("*.py"), *folder.glob("*/*.py")]):
        parts = file.relative_to(folder).with_suffix("").parts
        module = ".".join((config.name, *parts))
        if module not in sys.modules and module not in named and "tests" not in parts and _declares_tasks(file):
            yield module


def _named_modules() -> tuple[str, ...]:
    try:
        return Settings.read().tasks
    except SettingsError:
        return ()


def _declares_tasks(file: Path) -> bool:
    """Whether a module imports ``task`` of taskflow and decorates functions with it."""
    if file.stat().st_size > _MOST_BYTES:
        return False
    text = file.read_text(encoding="utf-8", errors="replace")
    if "taskflow" not in text or "task" not in text:
        return False
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "taskflow"
        for alias in node.names
        if alias.name == "task"
    }
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(_name_of(decorator) in names for function in functions for decorator in function.decorator_list)


def _name_of(decorator: Any) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.id if isinstance(called, ast.Name) else ""
