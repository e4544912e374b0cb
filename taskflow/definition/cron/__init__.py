"""Cron expressions and their next instants, by rules of our own (docs/schedules.md). No clock is read here."""
