"""The engine of what only the HTTP API has: its keys."""
