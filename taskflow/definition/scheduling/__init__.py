"""Schedules as values: when they are due, what callers give, what the store holds, what a run gets."""
