"""Rules of alerts, and the alerts that they make."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "taskflow_alert_rules",
        *(sa.Column(name, WORD, primary_key=True) for name in ("environment", "id")),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "taskflow_alerts",
        *(sa.Column(name, WORD, primary_key=True) for name in ("environment", "rule_id", "event")),
        sa.Column("id", WORD, nullable=False, unique=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("at", "due", "tries")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("title", "body", "answer")),
        sa.Column("state", WORD, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_taskflow_alerts_due", "taskflow_alerts", ["environment", "state", "due"])
    op.create_index("ix_taskflow_alerts_at", "taskflow_alerts", ["environment", "rule_id", "at"])
