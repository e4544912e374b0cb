"""Keep the rules of alerts, and each alert from its finding until seven days after.

An alert is one row, whose key is the event. A sender takes it for two minutes and writes the answer. A sender that dies
meanwhile leaves it due again, under the same id.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from taskflow.history.reader import Reader
from taskflow.history.rollups import MINUTE, ROLLUPS
from taskflow.history.rows import clean, milliseconds
from taskflow.history.schema import AlertRow, AlertRuleRow, RunRow
from taskflow.models import RunStatus
from taskflow.seams.alerts import KEPT, Alert, AlertChannel, AlertKind, AlertRule, Finding
from taskflow.store.operations.encoding import instant

RULES, ALERTS, RUNS = (cast("Table", kind.__table__) for kind in (AlertRuleRow, AlertRow, RunRow))
HOLD: Final = timedelta(minutes=2)
"""The time within which a sender must have sent an alert that it took: each step of an e-mail may take ten seconds."""
MOST_TRIES: Final = 8
_FAILED: Final = tuple(status.value for status in RunStatus if status.is_failed)


class AlertRows:
    """The rules and alerts of one environment. Every method raises ``HistoryUnavailableError`` without an answer."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._environment = reader.environment

    def rules(self) -> list[AlertRule]:
        """Return all rules, oldest first."""

        def look(connection: Connection) -> list[AlertRule]:
            own = RULES.c.environment == self._environment
            rows = connection.execute(select(RULES).where(own).order_by(RULES.c.made, RULES.c.id)).mappings()
            return [_rule(row) for row in rows]

        return self._reader.read_saved(look, [])

    def keep_rule(self, rule: AlertRule) -> None:
        """Keep a rule, also in place of the one with its id."""
        key = {"environment": self._environment, "id": rule.id}
        document = json.dumps(
            {
                "kind": rule.kind,
                "names": rule.names,
                "threshold": rule.threshold,
                "channel": rule.channel,
                "address": rule.address,
                "secret": rule.secret,
                "is_on": rule.is_on,
                "changed_by": rule.changed_by,
            }
        )
        row = {"document": clean(document), "made": milliseconds(rule.made_at)}

        def write(connection: Connection) -> None:
            kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            kept = kind(RULES).values(**key, **row)
            connection.execute(kept.on_conflict_do_update(index_elements=RULES.primary_key, set_=row))

        self._reader.change(write)

    def drop_rule(self, rule_id: str) -> bool:
        """Delete a rule with its alerts. Return whether there was one."""

        def write(connection: Connection) -> bool:
            was_there = connection.execute(delete(RULES).where(*self._own(rule_id))).rowcount > 0
            mine = (ALERTS.c.environment == self._environment, ALERTS.c.rule_id == clean(rule_id))
            connection.execute(delete(ALERTS).where(*mine))  # behind the rule: see keep_findings
            return was_there

        return self._reader.change(write)

    def keep_findings(self, rule: AlertRule, findings: Sequence[Finding], at: datetime) -> int:
        """Keep an alert for each event that the rule has none of. Return for how many. A deleted rule gets none."""

        def write(connection: Connection) -> int:
            its_row = select(RULES.c.id).where(*self._own(rule.id)).with_for_update(read=True)
            if connection.execute(its_row).first() is None:
                return 0
            kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            rows = [self._row(rule, each, at) for each in findings]
            kept = [kind(ALERTS).values(**row).on_conflict_do_nothing().returning(ALERTS.c.id) for row in rows]
            return sum(len(connection.execute(insert).all()) for insert in kept)

        new = self.unknown(rule, [finding.key for finding in findings]) if findings else ()
        findings = [finding for finding in findings if finding.key in new]
        return self._reader.change(write) if findings else 0

    def unknown(self, rule: AlertRule, keys: Sequence[str]) -> set[str]:
        """Return the keys of events of which the rule has no alert."""
        cleaned = {clean(key): key for key in keys}
        own = (ALERTS.c.environment == self._environment, ALERTS.c.rule_id == clean(rule.id))
        listing = select(ALERTS.c.event).where(*own, ALERTS.c.event.in_(list(cleaned)))
        known = self._reader.read_saved(lambda connection: set(connection.execute(listing).scalars()), set[str]())
        return {key for event, key in cleaned.items() if event not in known}

    def take(self, now: datetime) -> Alert | None:
        """Take the alert that is due for the longest time, for two minutes, within which no other sender takes it."""
        now_ms = milliseconds(now)
        due = (ALERTS.c.environment == self._environment, ALERTS.c.state == "pending", ALERTS.c.due <= now_ms)
        found = select(ALERTS).where(*due).order_by(ALERTS.c.due).limit(1).with_for_update(skip_locked=True)

        def write(connection: Connection) -> Alert | None:
            row = connection.execute(found).mappings().one_or_none()
            if row is None:
                return None
            later = {"due": now_ms + round(HOLD.total_seconds() * 1000), "tries": row["tries"] + 1}
            connection.execute(update(ALERTS).where(ALERTS.c.id == row["id"]).values(later))
            return replace(_alert(row), tries=row["tries"] + 1)

        if not self._reader.read_saved(lambda connection: connection.execute(found).first() is not None, False):
            return None
        return self._reader.change(write)

    def settle(self, alert: Alert, answer: str, now: datetime, *, is_sent: bool) -> None:
        """Write the answer to an alert. One that was not taken is tried again, later each time, at most 8 times."""
        state = "sent" if is_sent else "failed" if alert.tries >= MOST_TRIES else "pending"
        wait = timedelta(seconds=min(10 * 4 ** (alert.tries - 1), 3600))
        row = {"state": state, "answer": clean(answer), "due": milliseconds(now + wait)}
        own = (ALERTS.c.id == alert.id, ALERTS.c.state == "pending")
        self._reader.change(lambda connection: connection.execute(update(ALERTS).where(*own).values(row)))

    def alerts(self, rule_id: str, limit: int = 100) -> list[Alert]:
        """Return the alerts of a rule, newest first."""
        own = (ALERTS.c.environment == self._environment, ALERTS.c.rule_id == clean(rule_id))
        listing = select(ALERTS).where(*own).order_by(ALERTS.c.at.desc(), ALERTS.c.id).limit(limit)
        return self._reader.read_saved(lambda connection: list(map(_alert, connection.execute(listing).mappings())), [])

    def counts(self, since: datetime) -> dict[str, tuple[int, datetime]]:
        """Return by rule how many alerts there have been since an instant, and when the last one was."""
        own = (ALERTS.c.environment == self._environment, ALERTS.c.at >= milliseconds(since))
        listing = select(ALERTS.c.rule_id, func.count(), func.max(ALERTS.c.at)).where(*own).group_by(ALERTS.c.rule_id)

        def look(connection: Connection) -> dict[str, tuple[int, datetime]]:
            return {rule_id: (count, instant(last)) for rule_id, count, last in connection.execute(listing)}

        return self._reader.read_saved(look, {})

    def trim(self, now: datetime) -> None:
        """Delete the alerts of more than seven days ago."""
        old = (ALERTS.c.environment == self._environment, ALERTS.c.at < milliseconds(now - KEPT))
        self._reader.change(lambda connection: connection.execute(delete(ALERTS).where(*old)))

    def failed_minutes(self, since: datetime, until: datetime, tasks: Sequence[str]) -> dict[datetime, dict[str, int]]:
        """Return how many runs of each task failed in each minute of a period, from counts, without those of none."""
        first = milliseconds(since)
        whole = -(-first // MINUTE) * MINUTE
        counts = [ROLLUPS.c.environment == self._environment, ROLLUPS.c.span == MINUTE, ROLLUPS.c.start >= whole]
        counts += [ROLLUPS.c.start < milliseconds(until), ROLLUPS.c.status.in_(_FAILED), *_of(ROLLUPS.c.task_id, tasks)]
        minutes = select(ROLLUPS.c.start, ROLLUPS.c.task_id, func.sum(ROLLUPS.c.count)).where(*counts)
        begun = self._failed(since, min(until, instant(whole)), tasks)  # the minute in which the period begins

        def look(connection: Connection) -> dict[datetime, dict[str, int]]:
            found: dict[datetime, dict[str, int]] = {}
            if first < whole:
                early = select(RUNS.c.task_id, func.count()).where(*begun).group_by(RUNS.c.task_id)
                for task_id, count in connection.execute(early):
                    found.setdefault(instant(whole - MINUTE), {})[task_id] = count
            by_minute = minutes.group_by(ROLLUPS.c.start, ROLLUPS.c.task_id).having(func.sum(ROLLUPS.c.count) > 0)
            for start, task_id, count in connection.execute(by_minute):
                found.setdefault(instant(start), {})[task_id] = int(count)
            return found

        return self._reader.read_counts(look, {})

    def failed_runs(self, since: datetime, until: datetime, tasks: Sequence[str], limit: int) -> list[str]:
        """Return the ids of the runs that failed first in a period."""
        own = self._failed(since, until, tasks)
        listing = select(RUNS.c.id).where(*own).order_by(RUNS.c.finished).limit(limit)
        return self._reader.read(lambda connection: list(connection.execute(listing).scalars()), [])

    def _failed(self, since: datetime, until: datetime, tasks: Sequence[str]) -> list[ColumnElement[bool]]:
        own = [RUNS.c.environment == self._environment, RUNS.c.status.in_(_FAILED)]
        own += [RUNS.c.finished >= milliseconds(since), RUNS.c.finished < milliseconds(until)]
        return own + _of(RUNS.c.task_id, tasks)

    def _own(self, rule_id: str) -> list[ColumnElement[bool]]:
        return [RULES.c.environment == self._environment, RULES.c.id == clean(rule_id)]

    def _row(self, rule: AlertRule, finding: Finding, at: datetime) -> dict[str, Any]:
        body = {"type": f"alert.{rule.kind}", "timestamp": at.isoformat(), "title": finding.title}
        return {
            "environment": self._environment,
            "rule_id": rule.id,
            "event": clean(finding.key),
            "id": f"alert_{secrets.token_hex(12)}",
            "at": milliseconds(at),
            "title": clean(finding.title),
            "body": clean(json.dumps(body | {"environment": self._environment, "data": finding.data})),
            "state": "pending",
            "due": milliseconds(at),
            "tries": 0,
            "answer": "",
        }


def _of(column: ColumnElement[str], tasks: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_(list(map(clean, tasks)))] if tasks else []


def _rule(row: Any) -> AlertRule:
    fields: dict[str, Any] = json.loads(row["document"])
    return AlertRule(
        id=row["id"],
        kind=AlertKind(fields["kind"]),
        names=tuple(fields["names"]),
        threshold=fields["threshold"],
        channel=AlertChannel(fields["channel"]),
        address=fields["address"],
        secret=fields["secret"],
        is_on=fields["is_on"],
        made_at=instant(row["made"]),
        changed_by=fields["changed_by"],
    )


def _alert(row: Any) -> Alert:
    return Alert(
        row["id"],
        row["rule_id"],
        instant(row["at"]),
        row["title"],
        row["body"],
        row["state"],
        row["tries"],
        row["answer"],
    )
