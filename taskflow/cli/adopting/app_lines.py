"""Lines of the parts of a Celery app beside its tasks."""

import re
from collections.abc import Iterator
from typing import Any, Final

from taskflow.cli.adopting.lines import Line
from taskflow.cli.adopting.task_lines import lines_of_task, route_of

_BROKERS: Final = {
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys"), "TASKFLOW_REDIS_URL"),
    **dict.fromkeys(("amqp", "amqps"), "TASKFLOW_BROKER_URL"),
}
_NO_MESSAGE: Final = "A trigger publishes no message of Celery's: do it where you trigger, or in @tasks.on_start."
_BOUNDED: Final = "Give the task a machine: its memory is bounded, and a child that exceeds it is replaced."
_AS_IT_IS: Final = "works as it is, in a module that the workers import"
_SIGNALS: Final = {
    "task_prerun": "also @tasks.on_start_attempt",
    "task_postrun": "also @tasks.cleanup",
    "task_success": "also @tasks.on_success",
    "task_failure": "also @tasks.on_failure, which a run that is canceled or lost calls, too",
    "task_retry": "also @tasks.on_error",
    "task_revoked": "also @tasks.on_cancel",
}
_NOT_SENT: Final = {
    "before_task_publish": _NO_MESSAGE,
    "after_task_publish": _NO_MESSAGE,
    "beat_init": "Schedules are fired by the workers: use worker_ready.",
    "beat_embedded_init": "Schedules are fired by the workers: use worker_ready.",
    "eventlet_pool_started": "There are two executors, process and async: write async def.",
}
_USES: Final = {
    "chain": "chain(a.s(1), b.s()) works",
    "group": "group(a.s(1), a.s(2)) works; a.batch_trigger([...]) is one write",
    "chord": "chord([a.s(1), a.s(2)])(b.s()) works",
    ".s": "task.s(...) works, its arguments checked",
    ".si": "task.si(...) works, its arguments checked and typed",
    ".delay": "task.trigger(...); send_task(name, args) works, too",
    ".apply_async": "task.with_options(delay=...).trigger(...), or task.trigger(payload, delay=...) with one payload",
    ".send_task": "tasks.trigger(id, payload), or as it is: the arguments fill the parameters",
    "self.retry": "raise RetryAfter('30s'), with the countdown or the task's own delay",
    "self.request": "ctx.run.id, ctx.attempt.number and more of ctx",
    "self.update_state": "metadata.set('progress', 0.5)",
}
_NO_USE: Final = {
    "chunks": "task.batch_trigger([...])",
    "xmap": "task.batch_trigger([...])",
    "xstarmap": "task.batch_trigger([...])",
    ".chunks": "task.batch_trigger([...])",
    ".starmap": "task.batch_trigger([...])",
    ".subtask": "task.s(...)",
    ".signature": "task.s(...)",
    "Ignore": "return: it would be the error of a failed attempt",
    "Reject": "return, or raise AbortRun('why'); in place of requeue=True, raise RetryAfter('1s')",
}
_SETTINGS: Final = {
    "task_acks_late": "left out: a run survives the death of its worker in any case",
    "task_default_queue": "left out: each machine has its queue; queue= of a task is a limit, not a routing",
    "task_create_missing_queues": "left out",
    "task_reject_on_worker_lost": "left out: a run survives the death of its worker in any case",
    "task_ignore_result": "left out: the output is kept with the run, and costs nothing when nobody reads it",
    "task_track_started": "left out: a run that executes is EXECUTING",
    "task_store_errors_even_if_ignored": "left out: errors are always kept",
    "broker_transport_options": "left out: no run depends on a visibility timeout",
    "task_publish_retry": "left out: triggers are tried again, and make one run",
    "result_expires": "TASKFLOW_RETENTION, and the history after it",
    "worker_concurrency": "taskflow worker --concurrency N",
    "worker_prefetch_multiplier": "left out: a node takes what can start",
    "task_protocol": "left out: both protocols are read",
    "result_serializer": "left out: outputs are JSON",
}
_HARD_SETTINGS: Final = {
    "task_always_eager": "Runs do not execute in place: test with taskflow.testing.inline.",
    "task_annotations": "Write the options at the tasks.",
    "task_time_limit": "Write max_duration=... at the tasks, where one is needed.",
    "task_soft_time_limit": "Write max_duration=... at the tasks, where one is needed.",
    "task_default_rate_limit": "Write queue=Queue('name', rate_limit='10/m') at the tasks.",
    "worker_max_tasks_per_child": _BOUNDED,
    "worker_max_memory_per_child": _BOUNDED,
    "beat_scheduler": "Its entries are not in beat_schedule; of django-celery-beat: manage.py taskflow_adopt_beat.",
    "worker_pool": "There are two executors: process for def, async for async def.",
}
_JSON_ONLY: Final = "Payloads are JSON, never pickle: send what JSON can carry, before you move the tasks."


def lines_of_app(facts: dict[str, Any]) -> list[Line]:
    """Return the report of an app, in the order in which it is worked through."""
    return [
        *_app(facts),
        *_others(facts),
        *(line for task in facts["tasks"] for line in lines_of_task(_with_uses(task, facts["uses"]), facts["routes"])),
        *_routes(facts),
        *_queues(facts),
        *_beat(facts),
        *_signals(facts),
        *_uses(facts),
        *_settings(facts),
    ]


def _with_uses(task: dict[str, Any], uses: list[dict[str, Any]]) -> dict[str, Any]:
    """Note whether a task calls ``self.retry``: the next task of the file begins where its code ends."""
    calls = any(
        use["use"] == "self.retry" and use["file"] == task["file"] and task["line"] <= use["line"] <= task["end"]
        for use in uses
    )
    return task | {"calls_retry": calls}


def _app(facts: dict[str, Any]) -> Iterator[Line]:
    name, broker, backend = facts["app"], facts["broker"], facts["result_backend"]
    if broker in _BROKERS:
        more = "" if _BROKERS[broker] == "TASKFLOW_REDIS_URL" else "; runs are kept in a Redis or Valkey beside it"
        yield Line("app", name, f"broker {broker}://", f"{_BROKERS[broker]}; workers of both may share it{more}")
    else:
        to_do = "Brokers are Redis, Valkey and RabbitMQ. Let the old producers send to one of them first."
        yield Line("app", name, f"broker {broker or 'none'}", "", to_do)
    if backend and backend != "disabled":
        becomes = 'the run store; producers of old read results with result_backend="taskflow://", or where'
        becomes += " TASKFLOW_CELERY_RESULT_BACKEND says"
        yield Line("app", name, f"result backend {backend}", becomes)


def _others(facts: dict[str, Any]) -> Iterator[Line]:
    for name in facts["others"]:
        to_do = f"The report is of the first app of the module. Call the command with :{name}, too."
        yield Line("app", name, "another app of the module", "", to_do)


def _routes(facts: dict[str, Any]) -> Iterator[Line]:
    for route in facts["routes"]:
        if route["is_function"]:
            to_do = "Write queue=... or machine=... at the tasks, or give queue= where you trigger."
            yield Line("route", route["pattern"], "a router function", "", to_do)
            continue
        matched = [task["name"] for task in facts["tasks"] if route_of(task["name"], facts["routes"]) is route]
        queue = route["options"].get("queue")
        becomes = f"queue={queue!r} at {', '.join(matched)}" if matched else "it is no task's"
        others = sorted(set(route["options"]) - {"queue"})
        to_do = f"Left out of the route: {', '.join(others)}. Choose a queue or a machine." if others else ""
        yield Line("route", route["pattern"], f"to {queue or 'no queue'}", becomes, to_do)


def _queues(facts: dict[str, Any]) -> Iterator[Line]:
    for queue in facts["queues"]:
        becomes = f"Queue({queue['name']!r}), with limits instead of workers of its own"
        to_do = f"Its arguments {', '.join(queue['arguments'])} have no counterpart." if queue["arguments"] else ""
        yield Line("queue", queue["name"], "a queue of task_queues", becomes, to_do)


def _beat(facts: dict[str, Any]) -> Iterator[Line]:
    functions = {task["name"]: task["function"] for task in facts["tasks"]}
    for entry in facts["beat"]:
        rule = f"cron={entry['cron']!r}" if entry["cron"] else f"every={entry['every']!r}"
        if entry["cron"] and entry["timezone"] != "UTC":
            rule += f", timezone={entry['timezone']!r}"
        what = f"a beat entry of {entry['task']}"
        if entry["refused"]:
            yield Line("schedule", entry["name"], what, "", f"{entry['refused']} Until then celery beat still works.")
            continue
        given = [*entry["args"], *(f"{name}={value}" for name, value in entry["kwargs"].items())]
        called = functions.get(entry["task"]) or entry["task"].rpartition(".")[2]
        code = f"@schedules.task(id={('beat-' + entry['name'])!r}, {rule})\n"
        code += f"def {_identifier(entry['name'])}() -> None: {called}.trigger({', '.join(given)})"
        to_do = f"Its options {', '.join(entry['options'])} have no meaning for a schedule." if entry["options"] else ""
        if entry["task"] not in functions:
            to_do = f"The app has no task of that name. {to_do}".rstrip()
        yield Line("schedule", entry["name"], what, code, to_do)


def _identifier(name: str) -> str:
    """Return a name that is no task's own, which the function has to call."""
    return f"beat_{re.sub('[^0-9A-Za-z]', '_', name)}"


def _signals(facts: dict[str, Any]) -> Iterator[Line]:
    for each in facts["signals"]:
        signal, name = each["signal"], each["receiver"]
        if signal in _NOT_SENT:
            yield Line("signal", name, signal, "", _NOT_SENT[signal])
        else:
            more = _SIGNALS.get(signal)
            yield Line("signal", name, signal, f"{_AS_IT_IS}{f'; {more}' if more else ''}")


def _uses(facts: dict[str, Any]) -> Iterator[Line]:
    for use in facts["uses"]:
        name, place = use["use"], f"{use['file']}:{use['line']}"
        if name in _NO_USE:
            what = "raised" if name in ("Ignore", "Reject") else "a call"
            yield Line("use", name, what, "", f"Write {_NO_USE[name]}.", place)
        else:
            yield Line("use", name, "a call", _USES[name], "", place)


def _settings(facts: dict[str, Any]) -> Iterator[Line]:
    for name, value in facts["settings"].items():
        what = f"{name}={value!r}"
        if name in ("task_serializer", "accept_content"):
            is_json = (
                {value} == {"json"} if isinstance(value, str) else set(value or ()) <= {"json", "application/json"}
            )
            yield Line("setting", name, what, "JSON" if is_json else "", "" if is_json else _JSON_ONLY)
        elif name in _HARD_SETTINGS:
            if value:
                yield Line("setting", name, what, "", _HARD_SETTINGS[name])
        else:
            yield Line("setting", name, what, _SETTINGS[name])
