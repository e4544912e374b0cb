"""The tasks of a process, by id."""

import pytest

from taskflow.definition.registry import declared
from taskflow.errors import DefinitionError, TaskNotFoundError
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task


def test_two_functions_under_one_id_are_an_error_that_names_both() -> None:
    """The later one would silently take the runs of the earlier one."""

    @task(id="send")
    def send_mail() -> None: ...

    with pytest.raises(DefinitionError) as refused:

        @task(id="send")
        def send_letter() -> None: ...

    for name in ("send_mail", "send_letter"):
        assert name in str(refused.value)
    assert str(refused.value).count("test_registry.py:") == 2
    assert declared.get("send") is send_mail.definition


def test_the_same_function_imported_again_replaces_itself() -> None:
    """Reloading servers import modules twice."""

    def declare() -> Task[None, None]:
        @task(id="send")
        def send() -> None: ...

        return send

    declare()
    again = declare()
    assert declared.get("send") is again.definition
    assert [made.id for made in declared].count("send") == 1


def test_a_script_that_is_also_imported_is_one_module() -> None:
    """`python -m workers.tasks` is `__main__` first and `workers.tasks` when a worker's code imports it."""

    def declare(module: str) -> None:
        def send() -> None: ...

        send.__module__ = module
        task(id="send")(send)

    declare("__main__")
    declare("workers.tasks")
    assert declared.get("send").module == "workers.tasks"


def test_an_unknown_id_names_the_near_miss() -> None:
    """`tasks.trigger("helo-world")` is a typing mistake, mostly."""

    @task(id="hello-world")
    def hello() -> None: ...

    assert "hello-world" in declared
    with pytest.raises(TaskNotFoundError, match="Did you mean 'hello-world'"):
        declared.get("helo-world")


def test_what_is_declared_in_isolation_is_forgotten() -> None:
    """Tests of a project declare tasks of their own."""
    before = len(declared)
    with declared.isolated():

        @task()
        def hello() -> None: ...

        assert len(declared) == before + 1
    assert len(declared) == before
