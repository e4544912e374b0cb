"""The bound of the time that a trigger waits for coroutines: one may wait for something that the test does next."""

import time
from typing import Final

from taskflow.testing.in_process.coroutine_runs import CoroutineRuns

LONGEST_S: Final = 0.5
"""Time for which the loop of coroutines has nothing to do but wait for something outside of the test's runs."""
_IN_ANY_CASE_S: Final = 10.0
"""Time for which one computes, or looks again and again."""


class Patience:
    """The patience of one trigger. Not the wall clock decides, because a busy machine makes everything slow."""

    def __init__(self, coroutines: CoroutineRuns) -> None:
        self._coroutines = coroutines
        self.renew()

    def renew(self) -> None:
        """Begin anew: something has happened."""
        self._began, self._waited_s = time.monotonic(), self._coroutines.waited_s

    @property
    def is_over(self) -> bool:
        """Whether the trigger returns although a coroutine goes on."""
        waited_s = self._coroutines.waited_s - self._waited_s
        return waited_s > LONGEST_S or time.monotonic() - self._began > _IN_ANY_CASE_S
