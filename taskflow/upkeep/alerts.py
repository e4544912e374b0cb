"""The thread that looks for the events of alerts and sends them. It runs beside the feed of the first shard.

There may be several: each event is one row of the history, which one sender takes at a time.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from taskflow.engine.alerts.findings import Looks
from taskflow.engine.alerts.sending import MailServer, send_alert
from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.seams.alerts import AlertRule
from taskflow.store.sync_store import Store
from taskflow.worker.repeating_thread import RepeatingThread

if TYPE_CHECKING:  # SQLAlchemy takes 30 MB
    from taskflow.history.alerts import AlertRows
    from taskflow.history.database import Database
    from taskflow.history.reader import Reader

log = logging.getLogger("taskflow.alerts")
EVERY: Final = timedelta(seconds=10)
TRIM_EVERY: Final = timedelta(hours=1)


class AlertThread(RepeatingThread):
    """Looks every ten seconds. A rule that can't be evaluated does not keep the others from it."""

    def __init__(
        self,
        store: Store,
        open_database: "Callable[[], Database]",
        environment: str,
        mail: MailServer,
        every: timedelta = EVERY,
    ) -> None:
        super().__init__("taskflow-alerts")
        self._store, self._open_database, self._environment = store, open_database, environment
        self._mail, self._every = mail, every
        self._trimmed: datetime | None = None

    def turn(self) -> float:
        """Find what is new, and send what is due."""
        now = datetime.now(UTC)
        rules = {rule.id: rule for rule in self._rows.rules()}
        for rule in rules.values():
            if rule.is_on:
                self._find(rule, now)
        if rules:
            self._send(rules)
        if rules and (self._trimmed is None or now - self._trimmed > TRIM_EVERY):
            self._rows.trim(now)
            self._trimmed = now
        return self._every.total_seconds()

    def handle_error(self, error: Exception) -> float:
        """Log it; the next look tries again."""
        if isinstance(error, StoreUnavailableError | HistoryUnavailableError):
            log.warning("alerts.waiting: %s", error)
        else:
            log.error("alerts.failed", exc_info=error)
        return self._every.total_seconds()

    def end(self) -> None:
        """Close the database."""
        if "_database" in self.__dict__:
            self._database.close()

    def _send(self, rules: Mapping[str, AlertRule]) -> None:
        """Send what is due, one after the other, until it is time to look again."""
        end = time.monotonic() + self._every.total_seconds()
        while not self.is_stopping and (alert := self._rows.take(datetime.now(UTC))) is not None:
            if alert.rule_id in rules:  # else the rule was made after these were read
                answer = send_alert(rules[alert.rule_id], alert, self._mail)
                self._rows.settle(alert, answer.text, datetime.now(UTC), is_sent=answer.is_taken)
                log.info("alerts.%s: %s of %s", "sent" if answer.is_taken else "refused", alert.id, alert.rule_id)
            if time.monotonic() >= end:
                return

    def _find(self, rule: AlertRule, now: datetime) -> None:
        try:
            found = self._rows.keep_findings(rule, self._looks.find(rule, now), now)
        except (StoreUnavailableError, HistoryUnavailableError):
            raise
        except Exception:
            log.exception("alerts.not_evaluated: %s", rule.id)
            return
        if found:
            log.info("alerts.found: %d of %s", found, rule.id)

    @cached_property
    def _database(self) -> "Database":
        return self._open_database()

    @cached_property
    def _reader(self) -> "Reader":
        from taskflow.history.reader import Reader

        return Reader(self._database, self._environment)

    @cached_property
    def _rows(self) -> "AlertRows":
        from taskflow.history.alerts import AlertRows

        return AlertRows(self._reader)

    @cached_property
    def _looks(self) -> Looks:
        return Looks(self._store, self._reader, self._rows, {})
