"""Celery's own ways to run tasks without a worker: each is refused with what to do instead."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from taskflow import EagerModeError, Settings, TaskFlow, task, tasks
from taskflow.definition.registry import declared

pytestmark = pytest.mark.timeout(10)
REMEDY = r"call the task as a function.*taskflow\.testing\.context\(\)"


@pytest.fixture
def flow() -> Iterator[TaskFlow]:
    """An app whose store does not answer, because nothing here may ask it."""

    with declared.isolated():

        @task(id="eager-echo")
        def eager_echo(payload: int) -> int:
            return payload

        assert eager_echo(1) == 1
        with TaskFlow(Settings.read(redis_url="redis://127.0.0.1:1/0")) as flow:
            yield flow
        flow.close()


@pytest.fixture
def celery_task(flow: TaskFlow) -> Any:
    return flow.celery.tasks["eager-echo"]


TRIGGERS: dict[str, Callable[[Any], object]] = {
    "trigger": lambda _: tasks.trigger("eager-echo", 1),
    "delay": lambda celery_task: celery_task.delay(1),
    "apply_async": lambda celery_task: celery_task.apply_async((1,), countdown=3),
}


@pytest.mark.parametrize("name", TRIGGERS)
@pytest.mark.parametrize("way", ["attribute", "update", "object"])
def test_the_eager_mode_is_refused_by_each_call_that_would_use_it(
    flow: TaskFlow, celery_task: Any, name: str, way: str
) -> None:
    """It ended in "called without a ticket", or was ignored by ``trigger``."""
    conf = cast("Any", flow.celery.conf)
    if way == "attribute":
        conf.task_always_eager = True
    elif way == "update":
        conf.update(task_always_eager=True)
    else:
        conf.add_defaults({"task_always_eager": True})
    with pytest.raises(EagerModeError, match=REMEDY):
        TRIGGERS[name](celery_task)


def test_a_task_that_is_applied_in_place_fails_with_the_remedy(celery_task: Any) -> None:
    with pytest.raises(EagerModeError, match=REMEDY):
        celery_task.apply((1,)).get()
    with pytest.raises(EagerModeError, match=REMEDY):
        celery_task(1)
