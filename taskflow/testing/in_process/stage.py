"""A test whose runs execute in its own process."""

from collections.abc import Callable
from datetime import timedelta

from taskflow.testing.in_process.application import InlineFlow
from taskflow.testing.moved_clock import MovedClock
from taskflow.testing.stage import Stage


class InlineStage(Stage):
    """Runs execute before the verb returns that has triggered them."""

    flow: InlineFlow

    def __init__(self, flow: InlineFlow, clock: MovedClock) -> None:
        super().__init__(flow, clock)

    def settle(self) -> None:
        """Execute what may start. Verbs have done so already."""
        self.flow.world.drive()

    async def _in_thread(self, act: Callable[[], None]) -> None:
        await self.flow.in_thread(act)

    def _advance(self, duration: timedelta) -> None:
        self.flow.world.pass_time(duration)
