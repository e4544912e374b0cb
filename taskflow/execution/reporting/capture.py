"""Keeps the lines that runs log through ``logging``, whatever handlers and levels their code gives to loggers.

The lines are taken where every logger hands its records to handlers (``Logger.callHandlers``, as Sentry's SDK does). A
handler of ours would be lost as soon as a task calls ``logging.basicConfig(force=True)`` or ``dictConfig``.
"""

import functools
import logging
import threading
from collections.abc import Callable
from typing import Final

from taskflow.execution.reporting.current import current_live_run

RUN_LOGGER: Final = "taskflow.logger"
"""The logger behind ``taskflow.logger``. It keeps its lines itself, at every level, whatever the process prints."""
_FORMAT: Final = logging.Formatter()
_SKIPPED: Final = ("taskflow", "celery", "kombu", "amqp", "billiard")
_TAKEN: Final = "celery.task"  # get_task_logger's


class _Thread(threading.local):
    is_printing = False


_thread: Final = _Thread()


def is_printing() -> bool:
    """Whether this thread prints a line that is kept already, so that what it writes to a stream is no other line."""
    return _thread.is_printing


def print_line(logger: logging.Logger, level: int, line: str) -> None:
    """Print a line that is kept already, with the handlers of a logger."""
    if not logger.isEnabledFor(level):
        return
    was, _thread.is_printing = _thread.is_printing, True
    try:
        logger.log(level, "%s", line)
    finally:
        _thread.is_printing = was


@functools.cache
def install_capture() -> None:
    """Keep from now on what runs of this process log."""
    setattr(logging.Logger, "callHandlers", _capturing(logging.Logger.callHandlers))  # noqa: B010 - a method


def _capturing(
    call_handlers: Callable[[logging.Logger, logging.LogRecord], None],
) -> Callable[[logging.Logger, logging.LogRecord], None]:
    def callHandlers(self: logging.Logger, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        was, _thread.is_printing = _thread.is_printing, True
        try:
            if not was:
                _keep(record)
            call_handlers(self, record)
        finally:
            _thread.is_printing = was

    return callHandlers


def _keep(record: logging.LogRecord) -> None:
    """Keep a record with the run that this code is part of."""
    live = current_live_run()
    if live is None or not _is_of_task(record.name):
        return
    try:
        live.log(record.levelname, record.name, _text(record), {})
    except Exception:  # noqa: BLE001 - as in logging: an error of a handler is no error of the run
        logging.Handler().handleError(record)


def _is_of_task(logger: str) -> bool:
    return logger.partition(".")[0] not in _SKIPPED or logger.startswith(_TAKEN)


def _text(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message = f"{message}\n{_FORMAT.formatException(record.exc_info)}"
    return f"{message}\n{record.stack_info}" if record.stack_info else message
