"""Find the events that a rule waits for. Each event has a key, so that it becomes one alert."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from taskflow.engine.feeds.lag import feed_lag
from taskflow.engine.schedules.health import schedule_health
from taskflow.seams.alerts import AlertKind, AlertRule, Finding
from taskflow.store.operations.overviews.nodes import merged_unserved, read_unserved
from taskflow.store.operations.overviews.queues import read_queue_heads
from taskflow.store.sync_store import Store

if TYPE_CHECKING:  # SQLAlchemy takes 30 MB
    from taskflow.history.alerts import AlertRows
    from taskflow.history.reader import Reader

LOOK_BACK: Final = timedelta(hours=1)
"""The age up to which a failure becomes an alert: the history, or what looks into it, may have been away for that."""
SETTLED: Final = timedelta(seconds=10)
"""The time after a minute within which its failures have reached a history that is not behind."""
ABSENT: Final = timedelta(minutes=1)
"""The time for which a machine class must be without a node: nodes of a new version need some seconds."""
FEWEST: Final = 10
"""The least runs of which a share counts."""
_SHOWN: Final = 10


@dataclass(slots=True)
class Looks:
    """Finds events in the store and the history. One object looks every few seconds.

    Attributes:
        absent: Since when a machine class had no node, as this object saw it.
    """

    store: Store
    reader: "Reader"
    rows: "AlertRows"
    absent: dict[str, datetime]

    def find(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        """Return the events of a rule up to an instant.

        Raises:
            StoreUnavailableError, HistoryUnavailableError: One of them did not answer.
        """
        kinds: Mapping[AlertKind, Callable[[AlertRule, datetime], Sequence[Finding]]] = {
            AlertKind.RUN_FAILED: self._failed_runs,
            AlertKind.NEW_ERROR: self._new_errors,
            AlertKind.QUEUE_OLDEST: self._old_queues,
            AlertKind.FAILED_SHARE: self._failed_shares,
            AlertKind.NO_NODE: self._absent_nodes,
            AlertKind.SCHEDULE_LATE: self._late_schedules,
        }
        return kinds[rule.kind](rule, now)

    def _failed_runs(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        """One event for the failed runs of each minute that is over and that the history has."""
        lag = feed_lag(self.store)
        behind = max(SETTLED, lag.age if lag is not None else SETTLED)
        since = max(rule.made_at, (now - LOOK_BACK).replace(second=0, microsecond=0))
        until = (now - behind).replace(second=0, microsecond=0)
        if since >= until:
            return ()
        minutes = {
            _minute(at): (at, counts) for at, counts in self.rows.failed_minutes(since, until, rule.names).items()
        }
        findings: list[Finding] = []
        for key in sorted(self.rows.unknown(rule, list(minutes))):
            minute, counts = minutes[key]
            number, tasks = sum(counts.values()), sorted(counts)
            title = f"{'1 run' if number == 1 else f'{number} runs'} of {', '.join(tasks[:_SHOWN])} failed"
            runs = self.rows.failed_runs(max(since, minute), minute + timedelta(minutes=1), rule.names, _SHOWN)
            findings.append(Finding(key, title, {"runs": runs, "count": number, "tasks": tasks[:_SHOWN]}))
        return findings

    def _new_errors(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        from taskflow.history.error_reader import changed_since

        since = max(rule.made_at, now - LOOK_BACK)
        findings: list[Finding] = []
        for group in changed_since(self.reader, since):
            if rule.names and not set(rule.names) & set(group.tasks):
                continue
            event = group.came_back_at.isoformat() if group.came_back_at else "new"  # an earlier failure may come late
            what = f"{group.type}: {group.message}" if group.message else group.type
            title = f"An error {'came back' if group.came_back_at else 'is new'}: {what}"[:300]
            data: dict[str, object] = {"error": group.id, "type": group.type, "message": group.message}
            data |= {"frame": group.frame, "tasks": list(group.tasks), "came_back": group.came_back_at is not None}
            findings.append(Finding(f"{group.id}:{event}", title, data))
        return findings

    def _old_queues(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        findings: list[Finding] = []
        for shard in range(self.store.config.shards):
            for head in self.store.run(read_queue_heads(), shard=shard).heads:
                if head.oldest_at is None or (rule.names and head.name not in rule.names):
                    continue
                age = (now - head.oldest_at).total_seconds()
                if age >= rule.threshold:
                    title = f"The oldest run in the queue {head.name} has waited for {_words(age)}"
                    findings.append(_hourly(head.name, now, title, {"queue": head.name, "seconds": round(age)}))
        return findings

    def _failed_shares(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        from taskflow.history.activity import tasks_of

        findings: list[Finding] = []
        for task_id, activity in tasks_of(self.reader, now - timedelta(hours=1), now, 1, rule.names).items():
            percent = (activity.failed_share or 0) * 100
            if activity.total >= FEWEST and percent >= rule.threshold:
                title = f"{percent:.1f} % of the runs of {task_id} failed in the last hour"
                data = {"task": task_id, "failed": activity.failed, "total": activity.total, "percent": percent}
                findings.append(_hourly(task_id, now, title, data))
        return findings

    def _absent_nodes(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        shards = range(self.store.config.shards)
        unserved = merged_unserved([self.store.run(read_unserved(), shard=shard) for shard in shards])
        waiting = unserved.by_class(self.store.config.environment)
        classes = {name: count for name, count in waiting.items() if not rule.names or _machine(name) in rule.names}
        for name in [name for name in self.absent if name not in waiting]:
            del self.absent[name]
        findings: list[Finding] = []
        for name, count in classes.items():
            if now - self.absent.setdefault(name, now) >= ABSENT:
                runs = "1 run waits" if count == 1 else f"{count} runs wait"
                title = f"No node serves {_machine(name)}: {runs}"
                findings.append(_hourly(name, now, title, {"machine": _machine(name), "runs": count}))
        return findings

    def _late_schedules(self, rule: AlertRule, now: datetime) -> Sequence[Finding]:
        lag = schedule_health(self.store).lag.total_seconds()
        if lag < max(rule.threshold, 1.0):
            return ()
        return [_hourly("schedules", now, f"Schedules are late by {_words(lag)}", {"seconds": round(lag)})]


def _minute(at: datetime) -> str:
    return f"minute:{at.isoformat()}"


def _hourly(name: str, now: datetime, title: str, data: Mapping[str, object]) -> Finding:
    """Return an event that is reported once in each hour in which it lasts."""
    return Finding(f"{name}:{now:%Y-%m-%dT%H}", title, data)


def _machine(class_name: str) -> str:
    return class_name.rpartition(".")[0] or class_name


def _words(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} m" if whole < 7200 else f"{whole // 3600} h"
