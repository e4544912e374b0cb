"""The thread of a node that goes on with bulk actions whose server is gone."""

import logging
from typing import Final

from taskflow.engine.serving.bulk_actions import BulkActions
from taskflow.errors import StoreUnavailableError
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.upkeep")
_IDLE_SECONDS: Final = 3600.0


class BulkThread(RepeatingThread):
    """Sleeps until the sweep of the node that has the tick wakes it."""

    def __init__(self, actions: BulkActions) -> None:
        super().__init__("taskflow-bulk", first_pause=_IDLE_SECONDS)
        self._actions = actions

    def turn(self) -> float:
        """Perform what has no performer."""
        self._actions.take_over(lambda: self.is_stopping)
        return _IDLE_SECONDS

    def handle_error(self, error: Exception) -> float:
        """Log it; the next sweep wakes the thread again."""
        if isinstance(error, StoreUnavailableError):
            log.warning("bulk.waiting: %s", error)
        else:
            log.error("bulk.failed", exc_info=error)
        return _IDLE_SECONDS
