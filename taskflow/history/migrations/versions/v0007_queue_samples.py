"""The load of queues, each minute."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "taskflow_queue_samples",
        *(sa.Column(name, WORD, primary_key=True) for name in ("environment", "queue")),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("running", sa.BigInteger, nullable=False),
        sa.Column("queued", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_taskflow_queue_samples_at", "taskflow_queue_samples", ["environment", "at"])
