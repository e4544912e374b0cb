"""What a task declares. No I/O except the import of task modules."""
