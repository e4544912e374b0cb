"""Numbers of claims are instants in microseconds. SQLite's integers hold them as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Widen the column."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("taskflow_attempts", "claim", type_=sa.BigInteger)
