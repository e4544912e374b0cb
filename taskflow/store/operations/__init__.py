"""The store's operations, one module a subject: each describes one script call and how its reply is read."""

from taskflow.store.operations import (
    adoption,
    batches,
    canvas,
    journal,
    making,
    nodes,
    queues,
    runs,
    streams,
    tokens,
    updates,
    waits,
    webhooks,
)

__all__ = [
    "adoption",
    "batches",
    "canvas",
    "journal",
    "making",
    "nodes",
    "queues",
    "runs",
    "streams",
    "tokens",
    "updates",
    "waits",
    "webhooks",
]
