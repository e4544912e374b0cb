"""The engine behind every verb: triggers, looks up, cancels, and waits for results."""
