"""Groups of errors with their counts, what people did, saved templates, and an index of the ends of ids."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, the column and the indexes."""
    _errors()
    _audit()
    op.create_table(
        "taskflow_templates",
        *(sa.Column(name, WORD, primary_key=True) for name in ("environment", "task_id", "name")),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("saved", sa.BigInteger, nullable=False),
        sa.Column("saved_by", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    end = "substr(id, -8)" if op.get_bind().dialect.name == "sqlite" else "right(id, 8)"
    op.execute(f"CREATE INDEX ix_taskflow_runs_id_end ON taskflow_runs (environment, ({end}))")


def _errors() -> None:
    op.add_column("taskflow_run_errors", sa.Column("fingerprint", WORD))
    only = sa.text("fingerprint IS NOT NULL")
    op.create_index(
        "ix_taskflow_run_errors_fingerprint",
        "taskflow_run_errors",
        ["environment", "fingerprint", "created", "run_id"],
        sqlite_where=only,
        postgresql_where=only,
    )
    op.create_table(
        "taskflow_error_groups",
        *(sa.Column(name, WORD, primary_key=True) for name in ("environment", "fingerprint")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("type", "message", "frame")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("first", "last")),
        sa.Column("state", WORD, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in ("changed", "came_back")),
        *(sa.Column(name, sa.Text) for name in ("changed_by", "resolved_in")),
    )
    op.create_index("ix_taskflow_error_groups_last", "taskflow_error_groups", ["environment", "last"])
    op.create_table(
        "taskflow_error_counts",
        *(sa.Column(name, WORD, primary_key=True) for name in ("environment", "fingerprint")),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, WORD, primary_key=True) for name in ("task_id", "version")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("attempts", "runs")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_taskflow_error_counts_start", "taskflow_error_counts", ["environment", "start"])


def _audit() -> None:
    op.create_table(
        "taskflow_audit",
        sa.Column("number", SERIAL, primary_key=True),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("actor", "action", "kind", "target")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("origin", "reason")),
    )
    op.create_index("ix_taskflow_audit_at", "taskflow_audit", ["environment", "at"])
    op.create_index("ix_taskflow_audit_target", "taskflow_audit", ["environment", "kind", "target", "number"])
