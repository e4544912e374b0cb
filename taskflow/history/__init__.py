"""Runs, attempts and events in SQL: what stays after the store forgets. SQLite by default, PostgreSQL in production."""
