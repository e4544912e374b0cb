"""Keeps payload values and outputs out of Celery's log lines."""

import logging
from collections.abc import Mapping
from typing import Final, cast

_LOGGERS: Final = ("celery.app.trace", "celery.worker.strategy")
_HIDDEN_FIELDS: Final = ("args", "kwargs", "return_value")
_HIDDEN: Final = "(not logged)"


class HidePayloadValues(logging.Filter):
    """Replaces arguments and returned values in Celery's log records. Names, ids, times and errors stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the values from a record. Every record passes."""
        for field in ("args", "data"):  # the line is made of "args"; Celery also gives "data" to handlers
            values: object = getattr(record, field, None)
            if isinstance(values, Mapping):
                setattr(record, field, _without_values(cast(Mapping[str, object], values)))
        return True


def hide_payload_values() -> None:
    """Install the filter in this process. Further calls change nothing."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, HidePayloadValues) for known in logger.filters):
            logger.addFilter(HidePayloadValues())


def _without_values(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: _HIDDEN if name in _HIDDEN_FIELDS else value for name, value in fields.items()}
