"""Declarations of a task. No I/O except the import of task modules."""
