"""Options and methods of Celery, written by habit: an error names what to write instead."""

import re
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

import pytest

from taskflow import DefinitionError, TriggerOptionError, task
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.celery_habits import METHODS, TASK_OPTIONS, TRIGGER_OPTIONS
from taskflow.verbs.celery_command import offer_app
from taskflow.verbs.task import FunctionTask
from tests.projects.fleet_tasks import echo

REMEDY = re.compile(r"(Write|Leave it out|Give it|Give the payload|Raise AbortRun|Call them)\b")


@pytest.mark.parametrize("option", sorted(TASK_OPTIONS))
def test_an_option_of_celerys_tasks_is_refused_with_ours(option: str) -> None:
    """The nearest of our names would often be another thing: bind is not init."""
    with pytest.raises(DefinitionError) as refused:
        cast("Any", task)(id="habit", **{option: 3})
    assert "Unknown option of @task for task 'habit'" in str(refused.value)
    assert REMEDY.search(str(refused.value))


def test_the_number_of_retries_is_translated() -> None:
    """Celery does not count the first attempt."""
    with pytest.raises(DefinitionError, match=r"retry=Retry\(max_attempts=6\)"):
        cast("Any", task)(max_retries=5)


@pytest.mark.parametrize("option", sorted(TRIGGER_OPTIONS))
def test_an_option_of_apply_async_is_refused_with_ours(option: str) -> None:
    """A countdown is a delay."""
    with pytest.raises(TriggerOptionError) as refused:
        cast("Any", TriggerOptions.checked)(**{option: 3})
    assert REMEDY.search(str(refused.value))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_of_celerys_tasks_names_ours(method: str) -> None:
    """``hasattr`` stays False, so that nobody takes it for a Celery task."""
    made: Any = cast("Any", FunctionTask)(replace(echo.definition, id="habit"))
    assert not hasattr(made, method)
    with pytest.raises(AttributeError, match=f"Task 'habit' has no {method}, because it is no Celery task"):
        getattr(made, method)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        made.nothing()


@pytest.mark.parametrize("arguments", [[], ["-A"], ["beat"]], ids=str)
def test_a_task_is_declared_in_any_process_that_has_celerys_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script without arguments that had imported the command got a ValueError from ``@task``."""
    monkeypatch.setitem(sys.modules, "celery.bin.celery", ModuleType("celery.bin.celery"))
    monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
    offer_app()  # each @task calls it
