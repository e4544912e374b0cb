"""Runs, attempts and events in SQL: what stays after the store forgets. SQLite by default, PostgreSQL in production."""

import logging

logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it tells at import what it finds in itself
