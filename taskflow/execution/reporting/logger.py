"""The object ``logger``: log lines with fields, kept with the run and printed by the worker."""

import logging
import traceback
from contextlib import AbstractContextManager
from typing import Final

from taskflow.errors.base import shown
from taskflow.execution.reporting.capture import RUN_LOGGER
from taskflow.execution.reporting.current import current_live_run
from taskflow.execution.reporting.spans import Span, timed

_printed: Final = logging.getLogger(RUN_LOGGER)


class RunLogger:
    """A logger of messages with fields: ``logger.info("order paid", order="o_42", cents=1250)``.

    In a run every line is kept with the run, at level DEBUG too. The process prints the lines that its log level lets
    pass, through the standard logger ``taskflow.logger``. Outside of a run the lines go to that logger only. Lines of
    standard logging in a run are kept as well, as far as their levels let them pass. Fields that are not JSON are kept
    as text. Text is kept as it is: leave secrets out. ``logger.info("order %s paid", "o_42")`` works as in standard
    logging.
    """

    def debug(self, message: str, /, *args: object, **fields: object) -> None:
        """Log at level DEBUG."""
        self._log(logging.DEBUG, _formatted(message, args), fields)

    def info(self, message: str, /, *args: object, **fields: object) -> None:
        """Log at level INFO."""
        self._log(logging.INFO, _formatted(message, args), fields)

    def warning(self, message: str, /, *args: object, **fields: object) -> None:
        """Log at level WARNING."""
        self._log(logging.WARNING, _formatted(message, args), fields)

    def error(self, message: str, /, *args: object, **fields: object) -> None:
        """Log at level ERROR."""
        self._log(logging.ERROR, _formatted(message, args), fields)

    def exception(self, message: str, /, *args: object, **fields: object) -> None:
        """Log at level ERROR with the traceback of the exception that is being handled."""
        message = _formatted(message, args)
        self._log(logging.ERROR, f"{message}\n{traceback.format_exc().rstrip()}", fields)

    def span(self, name: str, /, **fields: object) -> AbstractContextManager[Span]:
        """Time a piece of a run's work: ``with logger.span("charge card", order="o_42") as span: ...``.

        It is kept with the run, like a log line: when it began, how long it took, the span around it, the type of the
        exception that ended it, and its fields; ``span.set(cents=1250)`` adds some. Works in coroutines as well.
        """
        return timed(name, fields)

    def _log(self, level: int, message: str, fields: dict[str, object]) -> None:
        live = current_live_run()
        if live is not None:
            live.log(logging.getLevelName(level), RUN_LOGGER, message, fields)
        if _printed.isEnabledFor(level):
            values = "".join(f" {name}={shown(value)}" for name, value in fields.items())
            _printed.log(level, "%s%s", message, values, stacklevel=3)


def _formatted(message: str, args: tuple[object, ...]) -> str:
    """Return a message with its ``%s`` filled in. If they do not fit, the arguments follow it."""
    if not args:
        return message
    try:
        return message % args
    except Exception:  # noqa: BLE001 - a log line must not fail a run; the code of a value may raise anything
        return " ".join([message, *map(shown, args)])


logger: Final = RunLogger()
