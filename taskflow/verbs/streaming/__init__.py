"""Typed streams, for a task's code and for anyone with the run's id. The engine reads and writes the items."""
