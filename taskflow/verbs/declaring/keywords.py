"""The options that every kind of task has, as one type."""

from collections.abc import Sequence
from typing import TypedDict

from taskflow.definition.hook_sets import HookOption
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.definition.task_definition import Executor
from taskflow.durations import Duration


class TaskKeywords(TypedDict, total=False):
    """The options of ``@task`` except ``id``. See there."""

    description: str | None
    retry: Retry | None
    queue: Queue | str | None
    machine: str | Machine | None
    max_duration: Duration | None
    ttl: Duration | None
    executor: Executor | None
    durable: bool
    suspend_after: Duration | None
    tags: str | Sequence[str]
    init: HookOption | None
    cleanup: HookOption | None
    middleware: HookOption | None
    on_start: HookOption | None
    on_start_attempt: HookOption | None
    on_success: HookOption | None
    on_error: HookOption | None
    on_failure: HookOption | None
    on_complete: HookOption | None
    on_wait: HookOption | None
    on_resume: HookOption | None
    on_cancel: HookOption | None
    catch_error: HookOption | None
