"""Presentation: durations, numbers, instants, ids, statuses and addresses as people see them. No I/O."""
