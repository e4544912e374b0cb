"""Waits where none is possible: each says what is wrong and what to write instead."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from taskflow import (
    BlockingCallError,
    Context,
    DefinitionError,
    OutsideRunError,
    TokenDataError,
    WaitError,
    WaitToken,
    task,
    tasks,
    wait,
)
from taskflow.definition.calls.tokens import TokenResult, token_output, token_result
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.waiting.blocking import BlockingWaits
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.wait_store import AsyncWaitStore, Done, Opening, WaitStore
from taskflow.models import RunStatus
from taskflow.seams.waits import WaitRequest, using_waits

LATER = datetime(2100, 1, 1, tzinfo=UTC)
NAIVE = datetime(2100, 1, 1)
BLOCKING: dict[str, Callable[[], object]] = {
    "wait.for_": lambda: wait.for_(10),
    "wait.until": lambda: wait.until(LATER),
    "wait.for_token": lambda: wait.for_token("token_00"),
    "tasks.trigger_and_wait": lambda: tasks.trigger_and_wait("x"),
}
ANYWHERE: dict[str, Callable[[], object]] = {
    "wait.create_token": wait.create_token,
    "wait.complete_token": lambda: wait.complete_token("token_00"),
    "wait.retrieve_token": lambda: wait.retrieve_token("token_00"),
    "wait.list_tokens": wait.list_tokens,
}
AWAITED: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
    "wait.afor_": lambda: wait.afor_(1),
    "wait.auntil": lambda: wait.auntil(LATER),
    "wait.afor_token": lambda: wait.afor_token("token_00"),
}


class HeldWaitStore:
    """The store's part in a wait that never ends."""

    run_id, place, claim = "run_1", "", 1

    def __init__(self) -> None:
        self.opened, self.over = threading.Event(), threading.Event()

    def open(self, opening: Opening) -> None:
        self.opened.set()

    def park(self, names: Sequence[str]) -> bool:
        return True

    def listen(self, seconds: float) -> None:
        self.over.wait(10)

    def read(self, names: Sequence[str]) -> Done:
        return Done(RunStatus.EXECUTING, True, {names[0]: (b"null",)})

    def close(self, names: Sequence[str]) -> None:
        raise AssertionError(names)


class NoHooks:
    """The hooks of a task without any."""

    class plan:  # noqa: N801
        @staticmethod
        def of(kind: str) -> tuple[object, ...]:
            return ()


HOOKS = cast("HookRunner", NoHooks())


@pytest.mark.parametrize("verb", ["wait.for_", "wait.until", "wait.for_token"])
def test_a_wait_outside_of_a_run_says_where_it_belongs(verb: str) -> None:
    with pytest.raises(OutsideRunError, match=rf"{verb}\(\) was called where no run executes"):
        BLOCKING[verb]()


@pytest.mark.parametrize("verb", AWAITED)
async def test_so_does_its_twin(verb: str) -> None:
    with pytest.raises(OutsideRunError, match=rf"{verb}\(\)"):
        await AWAITED[verb]()


@pytest.mark.parametrize("verb", BLOCKING | ANYWHERE)
async def test_a_blocking_verb_in_an_event_loop_names_its_twin(verb: str) -> None:
    folder, _, name = verb.rpartition(".")
    with pytest.raises(BlockingCallError, match=rf"await {folder}.a{name}\("):
        (BLOCKING | ANYWHERE)[verb]()


@pytest.mark.parametrize("duration", [-1, timedelta(days=-1), "soon", None, True, float("nan"), "-5s"])
def test_what_is_no_duration_is_refused(duration: Any) -> None:
    with pytest.raises(DefinitionError, match="duration"):
        wait.for_(duration)


def test_an_instant_has_a_time_zone_and_is_one() -> None:
    with pytest.raises(WaitError, match="no time zone"):
        wait.until(NAIVE)
    for wrong in ("2100-01-01", date(2100, 1, 1), 4102444800):
        with pytest.raises(WaitError, match="that is no datetime"):
            wait.until(cast("datetime", wrong))
    with pytest.raises(WaitError, match="over already"):
        wait.until(datetime(2000, 1, 1, tzinfo=UTC), raise_if_past=True)
    with pytest.raises(WaitError, match="too far ahead"):
        wait.until(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "options, told",
    [
        ({"timeout": -1}, r"timeout=-1\): A duration is never negative"),
        ({"timeout": "soon"}, "timeout='soon'"),
        ({"timeout": NAIVE}, "no time zone"),
        ({"tags": ["t"] * 11 + [str(n) for n in range(10)]}, "at most 10"),
        ({"tags": [""]}, "1 to 128"),
        ({"idempotency_key": 5}, "idempotency_keys.create"),
        ({"idempotency_key": ""}, "1 to 2048"),
        ({"idempotency_key": "k", "idempotency_key_ttl": -1}, "idempotency_key_ttl=-1"),
        ({"idempotency_key_ttl": 5}, "no idempotency_key"),
    ],
)
def test_an_option_of_a_token_that_is_not_possible_is_named(options: Any, told: str) -> None:
    with pytest.raises(WaitError, match=told) as refused:
        wait.create_token(**options)
    assert str(refused.value).startswith("wait.create_token(")


def test_what_is_no_token_is_named() -> None:
    with pytest.raises(WaitError, match="a int is no token"):
        wait.complete_token(cast("str", 5))
    with pytest.raises(DefinitionError, match="output_type"):
        wait.create_token(threading.Lock)  # a function that pydantic cannot handle
    for wrong in ({"limit": 0}, {"limit": 1001}, {"status": "DONE"}, {"tags": [""]}):
        with pytest.raises(WaitError, match=next(iter(wrong))):
            wait.list_tokens(**cast("Any", wrong))


def test_what_completes_a_token_is_json_of_its_type() -> None:
    """The text names the place, never the value."""
    for data in (object(), float("nan"), {"a": [object()]}):
        with pytest.raises(TokenDataError, match="which JSON cannot carry"):
            token_output("token_1", None, data)
    with pytest.raises(TokenDataError, match="valid integer") as refused:
        wait.complete_token(WaitToken("token_1", output_type=int), cast("int", "secret"))
    assert "secret" not in str(refused.value)
    assert token_output("token_1", dict[str, datetime], {"at": LATER}) == b'{"at":"2100-01-01T00:00:00Z"}'


def test_what_does_not_fit_is_an_error_result() -> None:
    """Nothing is raised until it is unwrapped."""
    result = token_result("token_1", int, b'{"status":"COMPLETED","output":"text"}')
    assert (result.ok, result.output) == (False, None)
    with pytest.raises(TokenDataError, match="token_1"):
        result.unwrap()
    assert token_result("t", None, b'{"status":"COMPLETED","output":null}') == TokenResult("t")


async def test_a_thread_of_a_coroutine_can_not_wait() -> None:
    """It would hold a place in the pool, and its run's slot."""
    with (
        using_waits(CoroutineWaits(cast("AsyncWaitStore", HeldWaitStore()), HOOKS)),
        pytest.raises(WaitError, match="A thread"),
    ):
        await asyncio.to_thread(wait.for_, 10)


def test_a_loop_of_a_def_task_can_not_wait() -> None:
    """Its child would not be the one that waits."""
    with (
        using_waits(BlockingWaits(cast("WaitStore", HeldWaitStore()), HOOKS)),
        pytest.raises(WaitError, match="without the a"),
    ):
        asyncio.run(wait.afor_(10))


def test_two_threads_of_a_def_task_do_not_wait_at_once() -> None:
    wait_store = HeldWaitStore()
    waits = BlockingWaits(cast("WaitStore", wait_store), HOOKS)
    waiting = threading.Thread(target=waits.wait, args=(WaitRequest(),))
    waiting.start()
    try:
        assert wait_store.opened.wait(5)
        with pytest.raises(WaitError, match="use asyncio"):
            waits.wait(WaitRequest())
    finally:
        wait_store.over.set()
        waiting.join(5)


def test_a_task_that_is_called_in_place_does_not_wait() -> None:
    """No run executes: there is nothing that could wait."""

    @task(id="in-place")
    def sleeper(ctx: Context) -> None:
        wait.for_("1h")

    from taskflow.testing import context

    with pytest.raises(OutsideRunError):
        sleeper(context())
