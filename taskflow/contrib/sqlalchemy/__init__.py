"""Triggers in SQLAlchemy's transactions: ``follow(Session)`` makes their runs at the commit."""

from taskflow.contrib.sqlalchemy.outbox import OutboxTable, outbox_table
from taskflow.contrib.sqlalchemy.sessions import Followed, at_commit, follow

__all__ = ["Followed", "OutboxTable", "at_commit", "follow", "outbox_table"]
