"""A handler that keeps the lines which runs log through ``logging``, on any logger of their own."""

import logging
from typing import Final

from taskflow.execution.reporting.current import current_live_run

RUN_LOGGER: Final = "taskflow.logger"
"""The logger behind ``taskflow.logger``. It keeps its lines itself, at every level, whatever the process prints."""
_FORMAT: Final = logging.Formatter()
_SKIPPED: Final = ("taskflow", "celery", "kombu", "amqp", "billiard")
_TAKEN: Final = ("celery.task", "celery.redirected")  # get_task_logger's, and print() in a worker


class RunLogHandler(logging.Handler):
    """The handler on the root logger of a worker. It does nothing outside of a run."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of the run that this code is part of."""
        live = current_live_run()
        if live is None or not _is_of_task(record.name):
            return
        try:
            live.log(record.levelname, record.name, _text(record), {})
        except Exception:  # noqa: BLE001 - as in logging: an error of a handler is no error of the run
            self.handleError(record)


_HANDLER: Final = RunLogHandler()


_ROOT: Final = logging.getLogger()
_CELERY_TASKS: Final = logging.getLogger("celery.task")


def install_capture() -> None:
    """Add the handler to the root logger, again when a task's own logging configuration has removed it.

    Also to the logger of Celery's ``get_task_logger``, which does not propagate its lines in a worker.
    """
    for logger in (_ROOT, _CELERY_TASKS):
        if _HANDLER not in logger.handlers and (logger is _ROOT or not logger.propagate):
            logger.addHandler(_HANDLER)


def _is_of_task(logger: str) -> bool:
    return logger.partition(".")[0] not in _SKIPPED or logger.startswith(_TAKEN)


def _text(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message = f"{message}\n{_FORMAT.formatException(record.exc_info)}"
    return f"{message}\n{record.stack_info}" if record.stack_info else message
