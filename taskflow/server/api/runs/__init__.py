"""Runs: by id, in lists, and on the wire."""
