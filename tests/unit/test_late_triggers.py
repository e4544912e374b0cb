"""Triggers of committed transactions while the store is away."""

import logging
from collections.abc import Callable

import pytest

from taskflow.errors import StoreUnavailableError
from taskflow.verbs.late_triggers import LateTriggers
from tests.support.waiting import wait_until


class Store:
    """A store that may be away."""

    def __init__(self) -> None:
        self.is_away, self.asked, self.made = True, 0, list[str]()

    def making(self, run_id: str) -> Callable[[], None]:
        """Return a function that makes a run."""

        def make() -> None:
            self.asked += 1
            if self.is_away:
                raise StoreUnavailableError("refused")
            self.made.append(run_id)

        return make


def test_what_the_store_missed_is_made_in_its_order() -> None:
    """By a thread, as soon as the store answers; callers of later commits do not wait for a store that is away."""
    store, late = Store(), LateTriggers()
    for number in range(5):
        late.publish(f"run_{number}", store.making(f"run_{number}"))
    store.is_away = False
    wait_until(lambda: not len(late), "the runs to be made")
    assert store.made == [f"run_{number}" for number in range(5)]
    late.publish("run_5", store.making("run_5"))
    assert store.made[-1] == "run_5"


def test_a_run_that_can_not_be_made_at_all_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its id, and the commit is not disturbed."""
    store, late = Store(), LateTriggers()

    def broken() -> None:
        raise ValueError

    late.publish("run_a", broken)
    late.publish("run_b", store.making("run_b"))
    late.publish("run_c", broken)
    late.publish("run_d", store.making("run_d"))
    store.is_away = False
    wait_until(lambda: not len(late), "the runs to be made")
    assert store.made == ["run_b", "run_d"]
    lost = [record.getMessage() for record in caplog.records if "trigger.lost" in record.getMessage()]
    assert ["run_a" in lost[0], "run_c" in lost[1]] == [True, True]


def test_a_process_that_ends_names_the_runs_that_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    """After one more try."""
    store, late = Store(), LateTriggers()
    late.publish("run_a", store.making("run_a"))
    late.publish("run_b", store.making("run_b"))
    late.leave()
    (lost,) = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert lost.endswith("run_a, run_b")


def test_a_recorded_trigger_is_left_to_the_outbox_and_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    """One that can't be made, and one that is kept when the process ends."""
    store, late = Store(), LateTriggers()

    def broken() -> None:
        raise ValueError

    late.publish("run_a", broken, is_recorded=True)
    late.publish("run_b", store.making("run_b"), is_recorded=True)
    late.publish("run_c", store.making("run_c"))
    late.leave()
    told = [record.getMessage() for record in caplog.records]
    assert [text for text in told if text.startswith("trigger.left") and "run_a" in text]
    assert [text for text in told if text.startswith("trigger.left") and "run_b" in text and "run_c" not in text]
    (lost,) = [text for text in told if text.startswith("trigger.lost")]
    assert "run_c" in lost
    assert "run_b" not in lost
