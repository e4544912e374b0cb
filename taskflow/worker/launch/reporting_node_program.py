"""The program of a node of ``taskflow dev``: it reports when it takes runs, and its log leaves runs out.

The session shows the lines of runs from the store's events, each with its run.
"""

import logging
from typing import Any, Final

from celery import signals

from taskflow.execution.reporting.current import current_live_run
from taskflow.worker.launch.node_program import main as run_node
from taskflow.worker.launch.reports import READY, RETIRED, report
from taskflow.worker.node.retirement import RETIRE

_OF_RUNS: Final = ("celery.app.trace", "celery.worker.strategy")
"""Loggers whose lines are about single runs."""


class _OutsideOfRuns(logging.Filter):
    """Drops the lines of runs, and what is worth no line in a terminal: below WARNING, unless DEBUG is asked for."""

    def __init__(self, asked: int) -> None:
        super().__init__()
        self._least = logging.WARNING if asked > logging.DEBUG else asked

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._least and record.name not in _OF_RUNS and current_live_run() is None


def main() -> None:
    """Run the node."""
    signals.after_setup_logger.connect(_on_logger, weak=False)
    signals.after_setup_task_logger.connect(_on_logger, weak=False)
    signals.worker_ready.connect(_on_ready, weak=False)
    run_node()


def _on_logger(logger: logging.Logger, loglevel: int = logging.INFO, **_: Any) -> None:
    for handler in logger.handlers:
        handler.addFilter(_OutsideOfRuns(loglevel))
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    if loglevel > logging.DEBUG:
        logging.getLogger("taskflow.history").setLevel(logging.WARNING)  # also that of the process that feeds it


def _on_ready(**_: Any) -> None:
    report(READY)
    signals.worker_shutting_down.connect(_on_leaving, weak=False)  # now, so that the node's own receiver comes first


def _on_leaving(sig: str = "", **_: Any) -> None:
    if sig == RETIRE.name:
        report(RETIRED)


if __name__ == "__main__":
    main()
