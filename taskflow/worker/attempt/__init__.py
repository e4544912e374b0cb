"""The part of an attempt, from its claim to its outcome, that both executors share."""
