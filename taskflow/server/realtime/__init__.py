"""Answers that go on: events of runs, shapes of runs, items of streams."""
