"""Cron expressions and their next instants, by rules of our own (docs/how-to/schedules.md). No clock is read here."""
