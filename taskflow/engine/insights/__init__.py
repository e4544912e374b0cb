"""Engines of pages beside those of runs: counts of runs, groups of errors, people's actions, saved tests, health."""
