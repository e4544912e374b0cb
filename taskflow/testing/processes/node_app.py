"""The Celery app of the workers of tests: made from settings, with the clock that the tests move."""

import os
from pathlib import Path

from taskflow import clock
from taskflow.settings import Settings
from taskflow.testing.moved_clock import CLOCK_VARIABLE, MovedClock
from taskflow.testing.moved_flow import MovedFlow

_moved = MovedClock(Path(os.environ[CLOCK_VARIABLE]), skips=True)
clock.use(_moved)
flow = MovedFlow(Settings.read(), _moved).set_default()
app = flow.celery
