"""The engine behind the page of alerts."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from taskflow.engine.alerts.sending import Answer, MailServer, send_alert
from taskflow.engine.lookup import Lookup
from taskflow.errors import DefinitionError
from taskflow.seams.alerts import Alert, AlertChannel, AlertKind, AlertRule
from taskflow.settings import Settings
from taskflow.texts import text_fault

if TYPE_CHECKING:
    from taskflow.history.alerts import AlertRows

_LONGEST_ADDRESS: Final = 1000
_MOST_NAMES: Final = 50
_DEFAULTS: Final[Mapping[AlertKind, float]] = {
    AlertKind.QUEUE_OLDEST: 1800.0,
    AlertKind.FAILED_SHARE: 5.0,
    AlertKind.SCHEDULE_LATE: 60.0,
}
_WHOLE: Final = 100.0


def mail_server(settings: Settings) -> MailServer:
    """Return the server that takes e-mail, as the settings name it."""
    url = settings.smtp_url.get_secret_value() if settings.smtp_url else ""
    return MailServer(url, settings.alert_sender or "")


class AlertEngine:
    """Keeps rules in the history. Blocking: coroutines call it in a thread.

    Without a history there are no alerts. Every method raises ``HistoryUnavailableError`` when the database does not
    answer.
    """

    def __init__(self, lookup: Lookup, settings: Settings) -> None:
        self._lookup, self._mail = lookup, mail_server(settings)

    def list(self) -> Sequence[AlertRule]:
        """Return all rules, oldest first."""
        rows = self._rows()
        return rows.rules() if rows else ()

    def find(self, rule_id: str) -> AlertRule | None:
        """Return a rule, None if there is none of this id."""
        return next((rule for rule in self.list() if rule.id == rule_id), None)

    def counts(self) -> Mapping[str, tuple[int, datetime]]:
        """Return by rule how many alerts there were in 24 hours, and when the last one was."""
        rows = self._rows()
        return rows.counts(datetime.now(UTC) - timedelta(hours=24)) if rows else {}

    def alerts(self, rule_id: str) -> Sequence[Alert]:
        """Return the alerts of a rule in the last 7 days, newest first, at most 100."""
        rows = self._rows()
        return rows.alerts(rule_id) if rows else ()

    def create(
        self,
        kind: str,
        channel: str,
        address: str,
        *,
        names: Sequence[str] = (),
        threshold: float | None = None,
        by: str = "",
    ) -> AlertRule:
        """Make a rule. It finds what happens from now on.

        Args:
            threshold: Seconds, or percent of a share; None: the usual one.

        Raises:
            DefinitionError: An argument is not possible, or there is no history to keep the rule in.
        """
        rows = self._rows()
        if rows is None:
            raise _refused("Alerts need the history", "kind", kind, "Don't set TASKFLOW_DATABASE_URL to none.")
        if kind not in list_of(AlertKind):
            raise _refused("No such kind of alert", "kind", kind, f"It is one of {', '.join(AlertKind)}.")
        if channel not in list_of(AlertChannel):
            raise _refused("No such way to send an alert", "channel", channel, "It is webhook or email.")
        rule = AlertRule(
            id=f"rule_{secrets.token_hex(8)}",
            kind=AlertKind(kind),
            names=_names(names),
            threshold=_threshold(AlertKind(kind), threshold),
            channel=AlertChannel(channel),
            address=_address(AlertChannel(channel), address.strip()),
            secret=new_secret() if channel == AlertChannel.WEBHOOK else "",
            made_at=datetime.now(UTC),
            changed_by=by,
        )
        rows.keep_rule(rule)
        return rule

    def switch(self, rule_id: str, *, is_on: bool, by: str) -> AlertRule | None:
        """Switch a rule on or off. What happened while it was off is not found. None if there is no such rule."""
        rows, rule = self._rows(), self.find(rule_id)
        if rows is None or rule is None:
            return None
        made_at = datetime.now(UTC) if is_on and not rule.is_on else rule.made_at
        changed = replace(rule, is_on=is_on, changed_by=by, made_at=made_at)
        rows.keep_rule(changed)
        return changed

    def drop(self, rule_id: str) -> bool:
        """Delete a rule with its alerts. Return whether there was one."""
        rows = self._rows()
        return rows.drop_rule(rule_id) if rows else False

    def test(self, rule: AlertRule) -> Answer:
        """Send a test by the way of a rule, and return the receiver's answer."""
        now = datetime.now(UTC)
        title = f"A test of the alert {rule.kind.replace('_', ' ')}"
        body = {"type": "alert.test", "timestamp": now.isoformat(), "title": title, "data": {"rule": rule.id}}
        test = Alert(f"alert_{secrets.token_hex(12)}", rule.id, now, title, json.dumps(body), "pending", 1, "")
        return send_alert(rule, test, self._mail)

    def _rows(self) -> "AlertRows | None":
        reader = self._lookup.reader()
        if reader is None:
            return None
        from taskflow.history.alerts import AlertRows

        return AlertRows(reader)


def new_secret() -> str:
    """Return a secret by which bodies are signed."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def list_of(kinds: type[AlertKind] | type[AlertChannel]) -> Sequence[str]:
    """Return the values of an enumeration."""
    return [each.value for each in kinds]


def _names(names: Sequence[str]) -> tuple[str, ...]:
    given = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if len(given) > _MOST_NAMES or any(text_fault(name) for name in given):
        raise _refused("These names are not possible", "names", ", ".join(given)[:200], f"Give at most {_MOST_NAMES}.")
    return given


def _threshold(kind: AlertKind, given: float | None) -> float:
    usual = _DEFAULTS.get(kind, 0.0)
    if not usual or given is None:
        return usual
    most = _WHOLE if kind is AlertKind.FAILED_SHARE else 365 * 86_400.0
    if not 0 < given <= most:  # also refuses what is no number
        raise _refused("That is no limit", "threshold", given, f"Use a number above 0, at most {most:,.0f}.")
    return given


def _address(channel: AlertChannel, address: str) -> str:
    if not address or len(address) > _LONGEST_ADDRESS or text_fault(address) or not address.isprintable():
        raise _refused("That is no address", "address", address[:200], "Give a URL or an e-mail address.")
    if channel is AlertChannel.EMAIL:
        name, _, host = address.rpartition("@")
        if not name or not host or any(each in address for each in " ,;<>"):
            raise _refused("That is no e-mail address", "address", address[:200], "Give one, like oncall@shop.example.")
        return address
    try:
        url = urlsplit(address)
        is_url = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        is_url = False
    if not is_url or " " in address:
        raise _refused("That is no URL", "address", address[:200], "Write https://host/path.")
    return address


def _refused(what: str, option: str, value: object, remedy: str) -> DefinitionError:
    return DefinitionError(what, option=option, value=value, remedy=remedy)
