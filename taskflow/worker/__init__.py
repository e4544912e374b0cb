"""Celery nodes: what claims tickets, executes runs and keeps the node's lease."""
