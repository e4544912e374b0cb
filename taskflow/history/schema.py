"""The tables. Mapped classes for their typed columns only: rows are written and read by Core statements, in batches.

Every instant is milliseconds since 1970 and every document JSON text, so that both databases hold the same values. The
primary order of runs is (created, id), newest first, and each index that a filter needs ends in it.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Index, Integer, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

_Word: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared byte by byte, as SQLite does."""


def _word(*, key: bool = False) -> MappedColumn[str]:
    return mapped_column(_Word, primary_key=key)


def _number(*, key: bool = False) -> MappedColumn[int]:
    return mapped_column(BigInteger, primary_key=key, autoincrement=False)


def _index(name: str, *columns: str, where: str = "") -> Index:
    """Return an index, of the rows that have ``where`` (a boolean column is a number in SQLite's statements)."""
    only = text(where) if where else None
    sqlite_only = text(f"{where} = 1") if where.isidentifier() else only
    return Index(f"ix_taskflow_{name}", *columns, sqlite_where=sqlite_only, postgresql_where=only)


def _listed(column: str, *more: str, where: str = "") -> Index:
    """Return the index that lists the runs of one value newest first."""
    return _index(f"runs_{'_'.join((column, *more))}", "environment", column, *more, "created", "id", where=where)


class Base(DeclarativeBase):
    """All tables of the history."""


class RunRow(Base):
    """One run as its record in the store was at ``revision``; ``record`` holds the record's further fields."""

    __tablename__ = "taskflow_runs"
    __table_args__ = (
        _index("runs_created", "environment", "created", "id"),
        _index("runs_finished", "environment", "finished", where="finished IS NOT NULL"),
        _index("runs_test", "environment", "created", "id", where="is_test"),
        _listed("task_id"),
        _listed("task_id", "status"),
        _listed("status"),
        _listed("queue"),
        _listed("machine"),
        *(_listed(column, where=f"{column} IS NOT NULL") for column in
          ("version", "batch_id", "schedule_id", "parent_id", "root_id", "idempotency_key")),
    )  # fmt: skip

    id: Mapped[str] = _word(key=True)
    environment: Mapped[str] = _word()
    revision: Mapped[int] = _number()
    created: Mapped[int] = _number()
    finished: Mapped[int | None] = mapped_column(BigInteger)
    task_id: Mapped[str] = _word()
    status: Mapped[str] = _word()
    queue: Mapped[str] = _word()
    machine: Mapped[str] = _word()
    executor: Mapped[str] = _word()
    version: Mapped[str | None] = mapped_column(_Word)
    batch_id: Mapped[str | None] = mapped_column(_Word)
    schedule_id: Mapped[str | None] = mapped_column(_Word)
    parent_id: Mapped[str | None] = mapped_column(_Word)
    root_id: Mapped[str | None] = mapped_column(_Word)
    idempotency_key: Mapped[str | None] = mapped_column(_Word)
    is_test: Mapped[bool] = mapped_column(Boolean)
    tags: Mapped[str | None] = mapped_column(Text)
    record: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    metadata_json: Mapped[str | None] = mapped_column("metadata", Text)
    payload: Mapped[str | None] = mapped_column(Text)
    output: Mapped[str | None] = mapped_column(Text)


class AttemptRow(Base):
    """One attempt."""

    __tablename__ = "taskflow_attempts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[str] = _word(key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = _number()
    claim: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    node: Mapped[str] = _word()
    started: Mapped[int] = _number()
    finished: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str | None] = mapped_column(_Word)
    error: Mapped[str | None] = mapped_column(Text)


class EventRow(Base):
    """One entry of the store's stream; ``position`` is its id there."""

    __tablename__ = "taskflow_events"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[str] = _word(key=True)
    position: Mapped[int] = _number(key=True)
    kind: Mapped[str] = _word()
    value: Mapped[str] = mapped_column(Text)


class TagRow(Base):
    """One tag of one run. Its key lists a tag's runs newest first."""

    __tablename__ = "taskflow_run_tags"
    __table_args__ = (_index("run_tags_run", "run_id"), {"sqlite_with_rowid": False})

    environment: Mapped[str] = _word(key=True)
    tag: Mapped[str] = _word(key=True)
    created: Mapped[int] = _number(key=True)
    run_id: Mapped[str] = _word(key=True)


class ErrorRow(Base):
    """The beginning of a failed run's error in lower case, for searching. The migration adds a trigram index."""

    __tablename__ = "taskflow_run_errors"
    __table_args__ = (
        _index("run_errors_created", "environment", "created", "run_id"),
        _index(
            "run_errors_fingerprint",
            "environment", "fingerprint", "created", "run_id",
            where="fingerprint IS NOT NULL",
        ),
    )  # fmt: skip

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    run_id: Mapped[str] = mapped_column(_Word, unique=True)
    environment: Mapped[str] = _word()
    created: Mapped[int] = _number()
    text: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(_Word)


class ErrorGroupRow(Base):
    """One group of errors. ``changed``: when a person set its state last; ``came_back``: when it failed after that."""

    __tablename__ = "taskflow_error_groups"
    __table_args__ = (_index("error_groups_last", "environment", "last"),)

    environment: Mapped[str] = _word(key=True)
    fingerprint: Mapped[str] = _word(key=True)
    type: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    frame: Mapped[str] = mapped_column(Text)
    first: Mapped[int] = _number()
    last: Mapped[int] = _number()
    state: Mapped[str] = _word()
    changed: Mapped[int | None] = mapped_column(BigInteger)
    changed_by: Mapped[str | None] = mapped_column(Text)
    resolved_in: Mapped[str | None] = mapped_column(Text)
    came_back: Mapped[int | None] = mapped_column(BigInteger)


class ErrorCountRow(Base):
    """The attempts of a task and version that failed with an error in a quarter of an hour, and runs that it ended."""

    __tablename__ = "taskflow_error_counts"
    __table_args__ = (_index("error_counts_start", "environment", "start"), {"sqlite_with_rowid": False})

    environment: Mapped[str] = _word(key=True)
    fingerprint: Mapped[str] = _word(key=True)
    start: Mapped[int] = _number(key=True)
    task_id: Mapped[str] = _word(key=True)
    version: Mapped[str] = _word(key=True)
    attempts: Mapped[int] = _number()
    runs: Mapped[int] = _number()


class AuditRow(Base):
    """One action of a person or program. ``target`` is of the kind ``kind``, for example ``queue`` ``invoices``."""

    __tablename__ = "taskflow_audit"
    __table_args__ = (
        _index("audit_at", "environment", "at"),
        _index("audit_target", "environment", "kind", "target", "number"),
    )

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    environment: Mapped[str] = _word()
    at: Mapped[int] = _number()
    actor: Mapped[str] = _word()
    origin: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = _word()
    kind: Mapped[str] = _word()
    target: Mapped[str] = _word()
    reason: Mapped[str] = mapped_column(Text)


class AlertRuleRow(Base):
    """One rule of alerts; ``document`` is JSON (``history/alerts.py``)."""

    __tablename__ = "taskflow_alert_rules"
    __table_args__ = ({"sqlite_with_rowid": False},)

    environment: Mapped[str] = _word(key=True)
    id: Mapped[str] = _word(key=True)
    document: Mapped[str] = mapped_column(Text)
    made: Mapped[int] = _number()


class AlertRow(Base):
    """One alert: an event that a rule found, once. A sender takes it by moving ``due`` into the future."""

    __tablename__ = "taskflow_alerts"
    __table_args__ = (
        _index("alerts_due", "environment", "state", "due"),
        _index("alerts_at", "environment", "rule_id", "at"),
        {"sqlite_with_rowid": False},
    )

    environment: Mapped[str] = _word(key=True)
    rule_id: Mapped[str] = _word(key=True)
    event: Mapped[str] = _word(key=True)
    id: Mapped[str] = mapped_column(_Word, unique=True)
    at: Mapped[int] = _number()
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = _word()
    due: Mapped[int] = _number()
    tries: Mapped[int] = _number()
    answer: Mapped[str] = mapped_column(Text)


class TemplateRow(Base):
    """A payload with trigger options (``document``, JSON) that people have saved for tests of a task."""

    __tablename__ = "taskflow_templates"
    __table_args__ = ({"sqlite_with_rowid": False},)

    environment: Mapped[str] = _word(key=True)
    task_id: Mapped[str] = _word(key=True)
    name: Mapped[str] = _word(key=True)
    document: Mapped[str] = mapped_column(Text)
    saved: Mapped[int] = _number()
    saved_by: Mapped[str] = mapped_column(Text)


class RollupRow(Base):
    """The runs of one task that ended with one status in one interval. Histograms: see ``history/histogram.py``.

    ``span`` is the interval's length and ``start`` its first instant. ``took`` is from the first attempt to the end,
    ``waited`` from the instant at which a run might start to its first attempt; the columns in ms are their sums.
    """

    __tablename__ = "taskflow_rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    environment: Mapped[str] = _word(key=True)
    span: Mapped[int] = _number(key=True)
    start: Mapped[int] = _number(key=True)
    task_id: Mapped[str] = _word(key=True)
    status: Mapped[str] = _word(key=True)
    count: Mapped[int] = _number()
    took_ms: Mapped[int] = _number()
    waited_ms: Mapped[int] = _number()
    took: Mapped[str] = mapped_column(Text)
    waited: Mapped[str] = mapped_column(Text)


class QueueSampleRow(Base):
    """The runs of a queue that executed and waited in one minute, see ``history/queue_samples.py``."""

    __tablename__ = "taskflow_queue_samples"
    __table_args__ = (_index("queue_samples_at", "environment", "at"), {"sqlite_with_rowid": False})

    environment: Mapped[str] = _word(key=True)
    queue: Mapped[str] = _word(key=True)
    at: Mapped[int] = _number(key=True)
    running: Mapped[int] = _number()
    queued: Mapped[int] = _number()


class ScheduleRow(Base):
    """The copy of a schedule that a program has made."""

    __tablename__ = "taskflow_schedules"
    __table_args__ = ({"sqlite_with_rowid": False},)

    environment: Mapped[str] = _word(key=True)
    id: Mapped[str] = _word(key=True)
    document: Mapped[str] = mapped_column(Text)


class FeedRow(Base):
    """Position up to which this database has a shard's stream. The feed rebuilds a shard without a complete row."""

    __tablename__ = "taskflow_feeds"

    environment: Mapped[str] = _word(key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = _number()
    is_complete: Mapped[bool] = mapped_column(Boolean)
