"""Celery nodes: claim tickets, execute runs and keep the node's lease."""
