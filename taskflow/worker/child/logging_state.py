"""The configuration of ``logging`` in a child: what a job changes of it is found without a look at every logger."""

import logging
import sys
from typing import Any, Final, NamedTuple

_references: Final[list[Any]] = vars(logging)["_handlerList"]
_manager: Final = logging.Logger.manager
_root: Final = logging.getLogger()
_witness: Final = logging.getLogger("taskflow.witness")
_cache: Final[dict[int, bool]] = vars(_witness)["_cache"]
"""Emptied by logging whenever a level is set or ``logging.disable`` is called."""


class _Logger(NamedTuple):
    level: int
    propagate: bool
    disabled: bool
    handlers: list[logging.Handler]
    filters: list[Any]


_NEW: Final = _Logger(logging.NOTSET, True, False, [], [])


class LoggingState:
    """The loggers as they are when it is made."""

    def __init__(self) -> None:
        self._loggers = {logger: _state(logger) for logger in _loggers()}
        self._disable = _manager.disable
        self._show = logging.raiseExceptions
        self._observe()

    @property
    def has_changed(self) -> bool:
        """Whether levels were set, or handlers made, removed or moved, or a configuration was loaded."""
        return not (
            _cache
            and len(_manager.loggerDict) == self._loggers_count
            and len(_references) == self._count
            and (not _references or _references[0] is self._first)
            and _root.handlers == self._handlers
        )

    def restore(self) -> None:
        """Put back what differs. A logger that was made since is put back to what a new one has.

        But if the job has imported modules, the logger keeps what it has: most often a module has configured its own.
        """
        has_imported = len(sys.modules) != self._modules_count
        _manager.disable = self._disable
        logging.raiseExceptions = self._show
        for logger in _loggers():
            known = self._loggers.get(logger) or (_state(logger) if has_imported else _NEW)
            known = self._loggers[logger] = known._replace(disabled=known.disabled and logger in self._loggers)
            if _state(logger) != known:
                _put_back(logger, known)
        self._keep_references()
        self._observe()

    def _keep_references(self) -> None:
        """Let logging know again of handlers that a configuration has made it forget."""
        listed = {reference() for reference in _references}
        for known in self._loggers.values():
            for handler in known.handlers:
                if handler not in listed:
                    vars(logging)["_addHandlerRef"](handler)
                    listed.add(handler)

    def _observe(self) -> None:
        _witness.isEnabledFor(logging.CRITICAL)
        self._first = _references[0] if _references else None
        self._count = len(_references)
        self._handlers = list(_root.handlers)
        self._loggers_count, self._modules_count = len(_manager.loggerDict), len(sys.modules)


def _loggers() -> list[logging.Logger]:
    named = [each for each in list(_manager.loggerDict.values()) if isinstance(each, logging.Logger)]
    return [_root, *named]


def _state(logger: logging.Logger) -> _Logger:
    return _Logger(logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logger.filters))


def _put_back(logger: logging.Logger, known: _Logger) -> None:
    logger.setLevel(known.level)
    logger.propagate, logger.disabled = known.propagate, known.disabled
    logger.handlers[:], logger.filters[:] = known.handlers, known.filters
