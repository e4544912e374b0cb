"""The engine behind webhooks."""
