"""An app whose store has the clock of a test."""

from dataclasses import replace

from taskflow.app import TaskFlow
from taskflow.settings import Settings
from taskflow.store.wire import StoreConfig
from taskflow.testing.moved_clock import MovedClock


class MovedFlow(TaskFlow):
    """The app of tests, and of the workers of tests."""

    def __init__(self, settings: Settings, clock: MovedClock) -> None:
        self._clock = clock
        super().__init__(settings)

    def _store_config(self) -> StoreConfig:
        return replace(super()._store_config(), clock=self._clock.micros)
