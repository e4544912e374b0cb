"""The first schema: runs with their attempts, events, tags, searchable errors, and how far the feed is."""

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0001"
down_revision = None
log = logging.getLogger("taskflow.history")

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make every table and index."""
    _runs()
    _attempts_and_events()
    _tags()
    _errors()
    _feeds()


def _runs() -> None:
    required = ("environment", "task_id", "status", "queue", "machine", "executor")
    optional = ("version", "batch_id", "schedule_id", "parent_id", "root_id", "idempotency_key")
    op.create_table(
        "taskflow_runs",
        sa.Column("id", WORD, primary_key=True),
        *(sa.Column(name, WORD, nullable=False) for name in required),
        *(sa.Column(name, WORD) for name in optional),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("finished", sa.BigInteger),
        sa.Column("is_test", sa.Boolean, nullable=False),
        sa.Column("tags", sa.Text),
        sa.Column("record", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("error", "metadata", "payload", "output")),
    )
    _index("runs_created", "taskflow_runs", "created", "id")
    _index("runs_finished", "taskflow_runs", "finished", where="finished IS NOT NULL")
    _index("runs_test", "taskflow_runs", "created", "id", where="is_test")
    for columns in (("task_id",), ("task_id", "status"), ("status",), ("queue",), ("machine",)):
        _index(f"runs_{'_'.join(columns)}", "taskflow_runs", *columns, "created", "id")
    for name in optional:
        _index(f"runs_{name}", "taskflow_runs", name, "created", "id", where=f"{name} IS NOT NULL")


def _attempts_and_events() -> None:
    op.create_table(
        "taskflow_attempts",
        sa.Column("run_id", WORD, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.Integer, nullable=False),
        sa.Column("node", WORD, nullable=False),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("finished", sa.BigInteger),
        sa.Column("outcome", WORD),
        sa.Column("error", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "taskflow_events",
        sa.Column("run_id", WORD, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _tags() -> None:
    op.create_table(
        "taskflow_run_tags",
        sa.Column("environment", WORD, primary_key=True),
        sa.Column("tag", WORD, primary_key=True),
        sa.Column("created", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run_id", WORD, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_taskflow_run_tags_run", "taskflow_run_tags", ["run_id"])


def _errors() -> None:
    op.create_table(
        "taskflow_run_errors",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("run_id", WORD, nullable=False, unique=True),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    _index("run_errors_created", "taskflow_run_errors", "created", "run_id")
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_trigrams()
    else:
        _postgresql_trigrams()


def _sqlite_trigrams() -> None:
    """FTS5 over the table's own text, kept in step by triggers (https://sqlite.org/fts5.html, external content)."""
    op.execute(
        "CREATE VIRTUAL TABLE taskflow_error_trigrams USING "
        "fts5(text, content='taskflow_run_errors', content_rowid='number', tokenize='trigram')"
    )
    add = "INSERT INTO taskflow_error_trigrams(rowid, text) VALUES (new.number, new.text);"
    drop = (
        "INSERT INTO taskflow_error_trigrams(taskflow_error_trigrams, rowid, text) "
        "VALUES ('delete', old.number, old.text);"
    )
    for name, what, steps in (
        ("added", "INSERT", add),
        ("removed", "DELETE", drop),
        ("changed", "UPDATE", drop + add),
    ):
        op.execute(f"CREATE TRIGGER taskflow_error_{name} AFTER {what} ON taskflow_run_errors BEGIN {steps} END")


def _postgresql_trigrams() -> None:
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except DBAPIError as error:
        log.warning(
            "history.slow_search: searching errors by text will be slow, because the extension pg_trgm is not there "
            "and may not be created (%s). Let the database's owner create it, then: CREATE INDEX ON "
            "taskflow_run_errors USING gin (text gin_trgm_ops)",
            type(error.orig).__name__,
        )
        return
    op.execute("CREATE INDEX ix_taskflow_run_errors_text ON taskflow_run_errors USING gin (text gin_trgm_ops)")


def _feeds() -> None:
    op.create_table(
        "taskflow_feeds",
        sa.Column("environment", WORD, primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("is_complete", sa.Boolean, nullable=False),
    )


def _index(name: str, table: str, *columns: str, where: str = "") -> None:
    only = sa.text(where) if where else None
    sqlite_only = sa.text(f"{where} = 1") if where.isidentifier() else only  # SQLite's statements say it like that
    op.create_index(
        f"ix_taskflow_{name}", table, ["environment", *columns], sqlite_where=sqlite_only, postgresql_where=only
    )
