"""The process that imports a Celery app and writes what it declares as JSON. It connects to nothing.

The imported modules are the user's: what they print goes to standard error, and what they raise is the command's error.
Celery's objects are read by their attributes.
"""
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# The objects are Celery's and the project's own, whose types this process cannot know.

import json
import os
import sys
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from taskflow.cli.adopting.source import uses_of
from taskflow.cli.adopting.tasks import task_facts
from taskflow.definition.importing import import_user_module
from taskflow.definition.scheduling.beat import entries_of
from taskflow.errors import SettingsError, TaskflowError

_SETTINGS: Final = (
    "task_always_eager", "task_default_queue", "task_create_missing_queues", "task_annotations", "task_acks_late",
    "task_time_limit", "task_soft_time_limit", "task_serializer", "result_serializer", "accept_content",
    "task_publish_retry", "result_expires", "worker_max_tasks_per_child", "worker_max_memory_per_child",
    "worker_concurrency", "worker_prefetch_multiplier", "worker_pool", "task_default_rate_limit", "task_protocol",
    "task_reject_on_worker_lost", "task_ignore_result", "task_track_started", "task_store_errors_even_if_ignored",
    "broker_transport_options", "beat_scheduler",
)  # fmt: skip
_OWN_PACKAGES: Final = ("celery", "kombu", "billiard", "taskflow", "django_celery_beat", "opentelemetry", "sentry_sdk")


def probe(name: str) -> dict[str, Any]:
    """Return what the Celery app of a module declares.

    Raises:
        SettingsError: There is no such module, its import raises, or it has no Celery app.
    """
    module_name, _, attribute = name.partition(":")
    module = import_user_module(module_name, what="module", remedy="Check its name, and the folder you call from.")
    app = _app(module, module_name, attribute)
    app.loader.import_default_modules()  # what autodiscover_tasks and imports name
    app.finalize(auto=True)
    conf = app.conf
    tasks = [task_facts(task) for task_id, task in sorted(app.tasks.items()) if not task_id.startswith("celery.")]
    named = {str(each) for each in (*(conf.include or ()), *(conf.imports or ())) if isinstance(each, str)}
    modules = [module, *(sys.modules[each] for each in sorted(named & sys.modules.keys()))]
    files = sorted(
        {task["file"] for task in tasks if task["file"]}
        | {str(getattr(each, "__file__", None) or "") for each in modules}
    )
    return {
        "app": str(app.main or module_name),
        "others": [] if attribute else sorted(key for key, each in _apps(module).items() if each is not app),
        "broker": _scheme(conf.broker_write_url or conf.broker_url),
        "result_backend": _scheme(conf.result_backend),
        "tasks": tasks,
        "routes": _routes(conf.task_routes),
        "queues": [_queue(queue) for queue in conf.task_queues or ()],
        "beat": _beat(conf.beat_schedule or {}, str(conf.timezone or "UTC")),
        "signals": _signals(),
        "settings": {key: _plain(conf[key]) for key in _SETTINGS if key in given_settings(conf)},
        "uses": [use for file in files if file for use in uses_of(file)],
    }


def _app(module: Any, name: str, attribute: str) -> Any:
    if attribute and not hasattr(module, attribute):
        raise SettingsError(f"Module {name!r} has no {attribute!r}. Name the Celery app with a colon: {name}:app.")
    if attribute and not _is_app(getattr(module, attribute)):
        kind = type(getattr(module, attribute)).__name__
        raise SettingsError(
            f"{attribute!r} of module {name!r} is of type {kind}, and no Celery app. Name a variable that is one; for "
            f"a function that makes it, write a module with app = {attribute}()."
        )
    if attribute:
        return getattr(module, attribute)
    for each in _apps(module).values():
        return each
    celery_module = f"{name}.celery"
    if (Path(str(getattr(module, "__file__", ""))).parent / "celery.py").is_file():
        return _app(import_user_module(celery_module, what="module", remedy="Check its name."), celery_module, "")
    raise SettingsError(f"Module {name!r} has no Celery app. Name the one that makes it: shop.celery:app.")


def _apps(module: Any) -> dict[str, Any]:
    """Return the Celery apps of a module by their names, each once."""
    apps = {key: each for key, each in vars(module).items() if _is_app(each)}
    return {key: each for key, each in apps.items() if next(k for k, other in apps.items() if other is each) == key}


def _is_app(value: Any) -> bool:
    return any((kind.__module__, kind.__name__) == ("celery.app.base", "Celery") for kind in type(value).__mro__)


def given_settings(conf: Any) -> set[str]:
    """Return the names of the settings that the project sets, those of a namespace under Celery's own names."""
    names = {str(name) for name in {*conf.table(with_defaults=False), *conf.changes}}
    prefix = str(conf.prefix or "")
    return names | {name.removeprefix(prefix).lower() for name in names if prefix and name.startswith(prefix)}


def _scheme(url: object) -> str:
    return str(url).partition(":")[0].partition("+")[0] if url else ""


def _routes(given: Any) -> list[dict[str, Any]]:
    if given is None:
        return []
    routers = given if isinstance(given, list | tuple) else [given]
    routes: list[dict[str, Any]] = []
    for number, router in enumerate(routers):
        if isinstance(router, Mapping):
            pairs: Iterable[Any] = router.items()
        elif isinstance(router, list | tuple) and all(isinstance(each, list | tuple) for each in router):
            pairs = router
        else:
            routes.append({"pattern": _name(router), "is_function": True})
            continue
        for pattern, route in pairs:
            text = getattr(pattern, "pattern", pattern)
            kind = "regex" if hasattr(pattern, "pattern") else "glob" if "*" in text else "name"
            options = {"queue": route} if isinstance(route, str) else _plain(dict(route))
            route_facts = {"pattern": str(text), "kind": kind, "options": options, "is_function": False}
            routes.append(route_facts | {"router": number})
    return routes


def _queue(queue: Any) -> dict[str, Any]:
    arguments = {str(key): _plain(value) for key, value in (getattr(queue, "queue_arguments", None) or {}).items()}
    return {"name": str(getattr(queue, "name", queue)), "arguments": arguments}


def _beat(schedule: Mapping[str, Any], timezone: str) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = []
    for given, made in zip(schedule.values(), entries_of(schedule, timezone), strict=True):
        options = made.options
        facts.append({
            "name": made.name,
            "task": made.task_id,
            "cron": options.cron if options else None,
            "every": options.every.total_seconds() if options and options.every else None,
            "timezone": timezone,
            "args": [repr(each) for each in made.args],
            "kwargs": {str(key): repr(value) for key, value in made.kwargs.items()},
            "refused": made.refused,
            "options": sorted(map(str, given.get("options") or {})),
        })  # fmt: skip
    return facts


def _signals() -> list[dict[str, str]]:
    module: Any = sys.modules.get("celery.signals")
    facts: list[dict[str, str]] = []
    for name in getattr(module, "__all__", ()):
        for _, reference in getattr(getattr(module, name), "receivers", None) or ():
            receiver: Any = reference() if isinstance(reference, weakref.ReferenceType) else reference
            if receiver is not None and not str(getattr(receiver, "__module__", "")).startswith(_OWN_PACKAGES):
                facts.append({"signal": str(name), "receiver": _name(receiver)})
    return facts


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__name__)}"


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(getattr(value, "name", None) or type(value).__name__)


def main() -> None:
    """Write the facts, or the error, to the descriptor that standard output was."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())
    try:
        facts = probe(sys.argv[1])
    except TaskflowError as error:
        facts = {"error": str(error)}
    with answer:
        json.dump(facts, answer)
    sys.stdout.flush()
    os._exit(0)  # threads of the imported modules may not hold the command


if __name__ == "__main__":
    main()
