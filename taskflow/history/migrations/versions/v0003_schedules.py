"""Copies of schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "taskflow_schedules",
        sa.Column("environment", WORD, primary_key=True),
        sa.Column("id", WORD, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
