"""Queues and machine presets."""

import pytest

from taskflow.definition.machine import PRESETS, Machine, MachineSpec, presets_with, resolve_machine
from taskflow.definition.queue import Queue
from taskflow.errors import DefinitionError
from taskflow.verbs.decorator import task


def test_a_task_without_a_queue_has_its_own() -> None:
    """Two tasks never wait for each other unless they were told to share."""

    @task(id="mail.send:v2")
    def send() -> None: ...

    assert send.definition.queue == Queue("task/mail.send:v2")


def test_a_nameless_queue_limits_the_task_alone() -> None:
    """`Queue(concurrency_limit=1)` is how Trigger.dev says "one at a time"."""

    @task(queue=Queue(concurrency_limit=1))
    def send() -> None: ...

    assert send.definition.queue == Queue("task/send", concurrency_limit=1)


@pytest.mark.parametrize("name", ["", "a b", "mail.send", "x" * 129, "ü"])
def test_a_name_that_keys_cannot_hold_is_refused(name: str) -> None:
    """Trigger.dev strips characters, so two names could become one queue."""
    with pytest.raises(DefinitionError, match="queue name"):
        Queue(name)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, 100_001])
def test_a_limit_is_a_whole_number_from_one(limit: int) -> None:
    """A queue of limit 0 would take runs and never start one."""
    with pytest.raises(DefinitionError, match="concurrency_limit"):
        Queue("mail", concurrency_limit=limit)


@pytest.mark.parametrize(
    "wanted, preset",
    [
        (Machine(cpu=2, memory=4), "medium-2x"),
        (Machine(cpu=0.1), "micro"),
        (Machine(cpu=1), "small-2x"),
        (Machine(memory=3), "medium-2x"),
        (Machine(cpu=8, memory=16), "large-2x"),
    ],
)
def test_a_machine_is_the_smallest_preset_with_both(wanted: Machine, preset: str) -> None:
    """The seed's `{cpu: 2, memory: 4}` is medium-2x; less would starve the run, more would waste a host."""
    assert resolve_machine(wanted).name == preset


def test_memory_is_counted_in_powers_of_two() -> None:
    """The watcher compares it with RSS, in bytes."""
    assert PRESETS["small-1x"].memory_bytes == 512 * 1024**2


def test_an_unknown_preset_names_the_near_miss() -> None:
    """A run on a machine class without workers would wait for ever."""
    with pytest.raises(DefinitionError, match="Did you mean 'medium-1x'"):
        resolve_machine("medium1x")


def test_no_machine_is_larger_than_the_largest() -> None:
    """The message says what there is."""
    with pytest.raises(DefinitionError, match="large-2x with 8 vCPU and 16 GB"):
        resolve_machine(Machine(cpu=64))


@pytest.mark.parametrize("cpu, memory", [(0, 0), (-1, 1), (1, float("nan"))])
def test_a_machine_asks_for_something_real(cpu: float, memory: float) -> None:
    """`Machine()` has no meaning of its own."""
    with pytest.raises(DefinitionError):
        Machine(cpu=cpu, memory=memory)


def test_a_project_has_presets_of_its_own() -> None:
    """Hosts with a GPU or much memory are named by whoever owns them."""
    presets = presets_with({"gpu": (16, 64)})
    assert resolve_machine("gpu", presets) == MachineSpec("gpu", 16, 64)
    assert resolve_machine(Machine(cpu=10), presets).name == "gpu"


def test_a_task_may_name_a_preset_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks are checked at import, before any application and its settings exist."""
    monkeypatch.setenv("TASKFLOW_MACHINES", '{"gpu": [16, 64]}')

    @task(machine="gpu")
    def train() -> None: ...

    assert train.definition.class_name == "gpu.process"


def test_the_machine_for_memory_hungry_runs_is_checked_at_import() -> None:
    """It is first used when something has gone wrong already."""
    from taskflow.definition.retry import Retry

    with pytest.raises(DefinitionError, match="large-1x"):

        @task(retry=Retry(out_of_memory="large1x"))
        def train() -> None: ...
