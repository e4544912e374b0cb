"""Rules that alert people, and the alerts that were sent: values that the history keeps and pages show. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class AlertKind(StrEnum):
    """The event that a rule waits for."""

    RUN_FAILED = "run_failed"
    NEW_ERROR = "new_error"
    QUEUE_OLDEST = "queue_oldest"
    FAILED_SHARE = "failed_share"
    NO_NODE = "no_node"
    SCHEDULE_LATE = "schedule_late"


class AlertChannel(StrEnum):
    """The way by which an alert is sent."""

    WEBHOOK = "webhook"
    EMAIL = "email"


KEPT: Final = timedelta(days=7)
"""The time for which the alerts that were sent are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """A rule.

    Attributes:
        names: Tasks, queues or machine classes by the kind of the rule; empty: any.
        threshold: Seconds of ``QUEUE_OLDEST`` and ``SCHEDULE_LATE``, percent of ``FAILED_SHARE``; 0 for the others.
        address: A URL, or an e-mail address.
        secret: ``whsec_...``, by which the bodies of a webhook are signed (Standard Webhooks); "" for e-mail.
        changed_by: The person who made it, or switched it on or off.
    """

    id: str
    kind: AlertKind
    names: tuple[str, ...] = ()
    threshold: float = 0.0
    channel: AlertChannel
    address: str
    secret: str = ""
    is_on: bool = True
    made_at: datetime
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An event that a rule waits for.

    Attributes:
        key: The same event has the same key, so that it is sent once.
        title: One sentence.
        data: The facts, as JSON values.
    """

    key: str
    title: str
    data: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that was sent, or is to be sent.

    Attributes:
        id: Stays the same when it is sent again: receivers of webhooks find it as ``webhook-id``.
        state: ``"pending"``, ``"sent"`` or ``"failed"``.
        answer: What the receiver answered last, "" before the first try.
    """

    id: str
    rule_id: str
    at: datetime
    title: str
    body: str
    state: str
    tries: int
    answer: str
