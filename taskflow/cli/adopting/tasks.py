"""The declaration of one Celery task as plain facts."""

import inspect
from typing import Any, Final

OPTIONS: Final = (
    "max_retries", "default_retry_delay", "retry_backoff", "retry_backoff_max", "retry_jitter", "time_limit",
    "soft_time_limit", "rate_limit", "acks_late", "reject_on_worker_lost", "ignore_result", "serializer",
    "track_started", "expires", "priority", "queue", "routing_key", "compression", "store_errors_even_if_ignored",
    "resultrepr_maxsize",
)  # fmt: skip
_ERRORS: Final = ("autoretry_for", "dont_autoretry_for", "throws")
_DECLARED: Final = frozenset({*OPTIONS, *_ERRORS, "retry_kwargs"})
"""Attributes of a base class that say how its tasks are declared."""
_OF_THE_APP: Final = frozenset(
    {
        "acks_late", "reject_on_worker_lost", "ignore_result", "serializer", "track_started",
        "store_errors_even_if_ignored",
    }
)  # fmt: skip
"""Options that are left out where the app has set them for all tasks: the report has a line for the setting."""
_METHODS: Final = (
    "__call__",
    "before_start",
    "on_success",
    "on_failure",
    "on_retry",
    "after_return",
    "apply_async",
    "retry",
)


def task_facts(task: Any) -> dict[str, Any]:
    """Return what a registered task declares. Options are those that differ from Celery's own task."""
    function = inspect.unwrap(getattr(task, "_orig_run", None) or task.run)
    function = getattr(function, "__func__", function)
    base = task.app.Task  # with the app's own settings
    return {
        "name": str(task.name),
        "module": str(getattr(function, "__module__", "")),
        "function": _function_name(task, function),
        "file": _file(function),
        "line": _line(function),
        "end": _end(function),
        "is_bound": _is_bound(_class_of(task)),
        "is_async": inspect.iscoroutinefunction(function),
        "parameters": _parameters(function, is_bound=_is_bound(_class_of(task))),
        "options": {
            name: _value(value)
            for name in OPTIONS
            if (value := getattr(task, name, None)) != getattr(base, name, None) and not _is_of_the_app(task, name)
        }
        | _retry_options(task),
        "errors": {name: [_class_name(each) for each in getattr(task, name, None) or ()] for name in _ERRORS},
        "base": _base_name(_class_of(task)),
        "methods": sorted(
            {name for kind in _class_of(task).__mro__ if _is_users(kind) for name in _METHODS if name in vars(kind)}
        ),
        "members": sorted(_members(_class_of(task), base)),
    }


def _function_name(task: Any, function: Any) -> str:
    """Return the name of the function; of a class with a method ``run``, that of the class."""
    name = str(getattr(function, "__name__", "run"))
    return str(_class_of(task).__name__) if name == "run" and _is_method(function) else name


def _is_method(function: Any) -> bool:
    return "." in str(getattr(function, "__qualname__", "")).replace("<locals>.", "")


def _members(kind: type, base: Any) -> set[str]:
    """Return the names of what the user's base classes hold beside Celery's own methods and options."""
    names = {name for each in kind.__mro__ if _is_users(each) for name in vars(each)}
    return {name for name in names - _DECLARED if not name.startswith("__") and not hasattr(base, name)}


def _is_of_the_app(task: Any, name: str) -> bool:
    """Whether an option has the value that a setting of the app gives to all tasks."""
    settings = dict(task.from_config)
    return name in _OF_THE_APP and name in settings and getattr(task, name) == task.app.conf.get(settings[name])


def _retry_options(task: Any) -> dict[str, Any]:
    """Return what ``retry_kwargs`` says of automatic retries: it goes before the task's own options."""
    given: dict[str, Any] = getattr(task, "retry_kwargs", None) or {}
    if not getattr(task, "autoretry_for", None):
        return {}
    names = {"max_retries": "max_retries", "countdown": "default_retry_delay"}
    return {option: _value(given[name]) for name, option in names.items() if name in given}


def _class_of(task: Any) -> Any:
    return task.__class__


def _is_users(kind: type) -> bool:
    """Whether a class is one that the project wrote, and not the one that Celery made of a function."""
    return kind is not object and not kind.__module__.startswith("celery.") and "run" not in vars(kind)


def _base_name(kind: type) -> str:
    named = [each for each in kind.__mro__[1:] if each is not object and not each.__module__.startswith("celery.")]
    return f"{named[0].__module__}.{named[0].__qualname__}" if named else ""


def _is_bound(kind: type) -> bool:
    """Whether the function gets the task as its first argument: Celery then has a method instead of a static one."""
    return not isinstance(vars(kind).get("run"), staticmethod)


def _parameters(function: Any, *, is_bound: bool) -> list[dict[str, Any]]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
    return [
        {
            "name": each.name,
            "text": str(each),
            "kind": each.kind.name,
            "has_default": each.default is not inspect.Parameter.empty,
            "is_annotated": each.annotation is not inspect.Parameter.empty,
        }
        for each in parameters[1 if is_bound and parameters else 0 :]
    ]


def _file(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return str(code.co_filename) if code else ""


def _line(function: Any) -> int:
    code = getattr(function, "__code__", None)
    return int(code.co_firstlineno) if code else 0


def _end(function: Any) -> int:
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return _line(function)
    return first + len(lines) - 1


def _class_name(kind: Any) -> str:
    module = str(getattr(kind, "__module__", ""))
    return str(getattr(kind, "__qualname__", kind)) if module == "builtins" else f"{module}.{kind.__qualname__}"


def _value(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
