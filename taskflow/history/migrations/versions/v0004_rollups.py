"""Counts of runs by task, final status and interval."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "taskflow_rollups",
        sa.Column("environment", WORD, primary_key=True),
        sa.Column("span", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("task_id", WORD, primary_key=True),
        sa.Column("status", WORD, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("count", "took_ms", "waited_ms")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("took", "waited")),
        sqlite_with_rowid=False,
    )
