"""Names that people know from Celery, and what to write instead."""

from collections.abc import Mapping
from typing import Final

from taskflow.suggestions import did_you_mean

_BACKOFF: Final = "Write retry=Retry(max_attempts=5, min_delay='1s', max_delay='1m', factor=2)."
_LIMIT: Final = "Write max_duration='5m': the run is TIMED_OUT, with SIGTERM first and SIGKILL after a grace."
_ALWAYS: Final = "Leave it out: taskflow does so by itself."
TASK_OPTIONS: Final[Mapping[str, str]] = {
    "name": "Write id='...'.",
    "bind": "Leave it out, and declare a parameter ctx: def f(payload, ctx: Context).",
    "max_retries": "Write retry=Retry(max_attempts=N + 1): the first attempt counts, too.",
    "default_retry_delay": _BACKOFF,
    "retry_backoff": _BACKOFF,
    "retry_backoff_max": _BACKOFF,
    "retry_jitter": "Write retry=Retry(randomize=True), which is the default.",
    "retry_kwargs": "Write retry=Retry(max_attempts=5).",
    "autoretry_for": "Leave it out: every exception is tried again, as retry=Retry(...) says. Raise AbortRun for one "
    "that is not, or answer it in a catch_error hook.",
    "dont_autoretry_for": "Raise AbortRun for what is not to be tried again, or answer it in a catch_error hook.",
    "throws": "Raise AbortRun for what is not to be tried again.",
    "rate_limit": "Write queue=Queue('name', rate_limit='10/m'): it holds for the whole fleet.",
    "time_limit": _LIMIT,
    "soft_time_limit": _LIMIT,
    "countdown": "Give it to the trigger: f.trigger(payload, delay='30s').",
    "eta": "Give it to the trigger: f.trigger(payload, delay=aware_datetime).",
    "expires": "Write ttl='1h'.",
    "priority": "Give it to the trigger: f.trigger(payload, priority=60).",
    "routing_key": "Write queue='name' or machine='large-1x'.",
    "exchange": "Write queue='name' or machine='large-1x'.",
    "base": "Write hooks and middleware instead: @task(init=..., middleware=..., on_failure=...).",
    "ignore_result": "Leave it out: the output is kept with the run, and costs nothing when nobody reads it.",
    "store_errors_even_if_ignored": _ALWAYS,
    "acks_late": "Leave it out: a run survives the death of its worker in any case.",
    "acks_on_failure_or_timeout": "Leave it out: a run survives the death of its worker in any case.",
    "reject_on_worker_lost": "Leave it out: a run survives the death of its worker in any case.",
    "track_started": _ALWAYS,
    "serializer": "Leave it out: payloads and outputs are JSON, of any type that pydantic knows.",
    "compression": "Leave it out: large values go to the object store.",
    "pydantic": "Leave it out: annotate the payload with the model.",
    "typing": _ALWAYS,
    "shared": "Leave it out: a task belongs to no app.",
}
"""Options of ``@app.task``."""
TRIGGER_OPTIONS: Final[Mapping[str, str]] = {
    "countdown": "Write delay='30s', or delay=timedelta(...).",
    "eta": "Write delay=aware_datetime.",
    "expires": "Write ttl='1h'.",
    "args": "Give the payload itself: f.trigger(payload).",
    "kwargs": "Give the payload itself: f.trigger({'field': value}).",
    "task_id": "Leave it out: the handle has the id. To make two triggers one run, write idempotency_key='...'.",
    "retry": "Write max_attempts=5; that a trigger reaches the store is tried again in any case.",
    "retry_policy": "Write max_attempts=5; delays are the task's: @task(retry=Retry(...)).",
    "max_retries": "Write max_attempts=N + 1.",
    "time_limit": "Write max_duration='5m'.",
    "soft_time_limit": "Write max_duration='5m'.",
    "link": "Write an on_success hook, or call both in a task: f.trigger_and_wait(payload).",
    "link_error": "Write an on_failure hook.",
    "chain": "Call them in a task, one after another: f.trigger_and_wait(payload).",
    "routing_key": "Write queue='name' or machine='large-1x'.",
    "exchange": "Write queue='name' or machine='large-1x'.",
    "headers": "Write metadata={'key': 'value'}.",
    "stamped_headers": "Write tags=['...'].",
    "ignore_result": "Leave it out: the output is kept with the run, and costs nothing when nobody reads it.",
    "serializer": "Leave it out: payloads are JSON.",
    "compression": "Leave it out: large payloads go to the object store.",
    "producer": "Leave it out: each process keeps its connections.",
    "connection": "Leave it out: each process keeps its connections.",
}
"""Options of ``apply_async``."""
_TRIGGER: Final = "Write {task}.trigger(payload), with options: {task}.trigger(payload, delay='30s')."
_CANVAS: Final = (
    "Call runs in a task, one after another: {task}.trigger_and_wait(payload); or many at once: "
    "{task}.batch_trigger_and_wait([...]). In Celery's canvas, write {task}.s(payload) or {task}.si(payload)."
)
_RETRY: Final = "Raise an exception to be tried again, or RetryAfter('30s') to choose when."
_CONTEXT: Final = "Declare a parameter ctx: def f(payload, ctx: Context), which has ctx.run, ctx.attempt and more."
METHODS: Final[Mapping[str, str]] = {
    "delay": _TRIGGER,
    "apply_async": _TRIGGER,
    "send_task": _TRIGGER,
    "apply": "Call the function itself: {task}(payload).",
    "signature": _CANVAS,
    "subtask": _CANVAS,
    "map": _CANVAS,
    "starmap": _CANVAS,
    "chunks": _CANVAS,
    "retry": _RETRY,
    "request": _CONTEXT,
    "update_state": "Write metadata.set('progress', 0.5).",
    "AsyncResult": "Write runs.retrieve(run_id), or keep the handle that {task}.trigger returns.",
    "name": "Write {task}.definition.id.",
}
"""Attributes of Celery's tasks."""


def about_task_option(option: str, value: object, known: Mapping[str, object]) -> str:
    """Return what to write instead of an option that ``@task`` does not have."""
    habit = TASK_OPTIONS.get(option)
    if habit is None:
        return did_you_mean(option, known, "options")
    if option == "max_retries" and type(value) is int and value >= 0:
        habit = habit.replace("N + 1", str(value + 1))
    return f"{habit} The options are {', '.join(sorted(known))}."


def about_method(task: str, task_id: str, name: str) -> str | None:
    """Return the error for an attribute of Celery's tasks, None for another name."""
    remedy = METHODS.get(name)
    if remedy is None:
        return None
    return f"Task {task_id!r} has no {name}, because it is no Celery task. {remedy.format(task=task, id=task_id)}"
