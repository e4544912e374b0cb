"""Runs, attempts and events in SQL, also after they have left the store. SQLite by default, or PostgreSQL."""

import logging

logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # at import it logs each of its own plugins
