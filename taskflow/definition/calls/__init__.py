"""Arguments of calls, checked before anything is written, and the values that calls return."""
