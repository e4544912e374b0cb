"""The context that a project's tests make."""

import dataclasses
from datetime import UTC, datetime

import pytest

from taskflow.errors import DefinitionError
from taskflow.testing import context


def test_a_context_has_sensible_values_without_any_argument() -> None:
    """A test names only what it is about."""
    ctx = context()
    assert (ctx.attempt.number, ctx.attempt.is_last, ctx.run.max_attempts) == (1, False, 3)
    assert (ctx.queue.name, ctx.machine.name, ctx.machine.memory) == ("task/test", "small-1x", 0.5)
    assert ctx.run.is_test
    assert ctx.run.created_at.tzinfo is not None


def test_a_context_says_what_the_test_wants() -> None:
    """Code that depends on the last attempt or a tag can be tested."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    ctx = context(task_id="render", tags=["a"], attempt=3, machine="micro", environment="prod", now=now)
    assert (ctx.task.id, ctx.run.tags, ctx.attempt.is_last, ctx.queue.name) == ("render", ("a",), True, "task/render")
    assert (ctx.machine.cpu, ctx.environment.name, ctx.attempt.started_at) == (0.25, "prod", now)


def test_a_context_is_frozen() -> None:
    """Tasks share it with hooks; nobody may change what another one reads."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        context().attempt.number = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - the test


def test_a_context_can_be_copied_compared_and_hashed() -> None:
    """It is logged with ``asdict``, and a value like others; the signal stays the one that the node sets."""
    ctx = context(init={"db": object()})
    copied = dataclasses.asdict(ctx)
    assert copied["signal"] is ctx.signal
    assert copied["run"]["id"] == "run_test"
    assert len({ctx, dataclasses.replace(ctx, init=None)}) == 1


def test_an_unknown_machine_is_refused() -> None:
    """A test on a machine that does not exist proves nothing."""
    with pytest.raises(DefinitionError, match="Unknown machine"):
        context(machine="huge")
