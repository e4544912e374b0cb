"""Waiting outside of a run, and what a result of a wait reads as."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from taskflow import (
    BlockingCallError,
    DefinitionError,
    OutsideRunError,
    RunStatus,
    TriggerOptionError,
    WaitError,
    batch,
    task,
    tasks,
    wait,
)
from taskflow.verbs.trigger_and_wait import result_of


@task(id="subtask-child")
def child(payload: int) -> datetime:
    """Never run."""
    raise NotImplementedError(payload)


def test_a_wait_outside_of_a_run_is_refused_and_writes_nothing() -> None:
    """No application is asked: nothing has bound a store here."""
    for call in (
        lambda: child.trigger_and_wait(5),
        lambda: child.batch_trigger_and_wait([5]),
        lambda: tasks.trigger_and_wait("subtask-child", 5),
        lambda: tasks.batch_trigger_and_wait("subtask-child", [5]),
        lambda: batch.trigger_and_wait([(child, 5)]),
        lambda: wait.for_("1h"),
        lambda: wait.for_(0),
        lambda: wait.until(datetime.now(UTC)),
    ):
        with pytest.raises(OutsideRunError, match="where no run executes"):
            call()


def test_a_blocking_wait_in_an_event_loop_names_its_twin() -> None:
    """Before it looks for a run."""

    async def block() -> None:
        with pytest.raises(BlockingCallError, match="atrigger_and_wait"):
            child.trigger_and_wait(5)
        with pytest.raises(BlockingCallError, match="afor_"):
            wait.for_("1h")
        with pytest.raises(OutsideRunError):
            await child.atrigger_and_wait(5)

    asyncio.run(block())


def test_what_is_no_duration_or_no_instant_is_refused() -> None:
    with pytest.raises(DefinitionError, match="duration"):
        wait.for_("soon")
    with pytest.raises(DefinitionError, match="duration"):
        wait.for_(-1)
    with pytest.raises(WaitError, match="no time zone"):
        wait.until(datetime(2030, 1, 1))
    with pytest.raises(WaitError, match="over already"):
        wait.until(datetime(2020, 1, 1, tzinfo=UTC), raise_if_past=True)


def test_a_result_is_typed_as_the_task_says() -> None:
    output = child.definition.output
    done = result_of(b'{"run":"r","status":"COMPLETED","output":"2030-01-01T00:00:00Z","error":null}', output)
    assert done.ok
    assert done.unwrap() == datetime(2030, 1, 1, tzinfo=UTC)
    failed = result_of(b'{"run":"r","status":"FAILED","output":null,"error":{"type":"E","message":"no"}}', output)
    assert (failed.status, failed.error and failed.error.message) == (RunStatus.FAILED, "no")
    expired = result_of(b'{"run":"r","status":"EXPIRED","output":null,"error":null}', output)
    assert (expired.ok, expired.error and expired.error.type) == (False, "EXPIRED")


def test_a_misspelt_option_names_the_one_that_was_meant() -> None:
    wrong: dict[str, Any] = {"dealy": "5m"}
    with pytest.raises(TriggerOptionError, match="delay"):
        child.trigger_and_wait(5, **wrong)
    wrong = {"atomc": True}
    with pytest.raises(TriggerOptionError, match="atomic"):
        child.batch_trigger_and_wait([5], **wrong)
