"""The engine behind every verb: it triggers, looks up and cancels runs, and waits for their results."""
