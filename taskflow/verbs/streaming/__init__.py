"""Streams as a task's code, and whoever has the run's id, see them. Typed; the engine reads and writes."""
