"""The Celery app of the workers of tests: made from settings, with the clock that the tests move."""

import multiprocessing.process
import os
from pathlib import Path

from taskflow import clock
from taskflow.settings import Settings
from taskflow.testing.moved_clock import CLOCK_VARIABLE, MovedClock
from taskflow.testing.moved_flow import MovedFlow

_clock_file = Path(os.environ[CLOCK_VARIABLE])
# Shared memory of the pool has a folder, which a worker that is killed does not remove: the test session does.
vars(multiprocessing.process.current_process())["_config"]["tempdir"] = str(_clock_file.parent)
_moved = MovedClock(_clock_file, skips=True)
clock.use(_moved)
flow = MovedFlow(Settings.read(), _moved).set_default()
app = flow.celery
