"""The connections in kombu's pools. The pools belong to the process, so that connections outlive their app."""

from typing import Any


def close_connections(celery: Any) -> None:
    """Close the connections of an app in the pools. The pools stay usable.

    Never set an app's ``broker_pool_limit`` to 0 here: kombu has one limit for all pools of the process, and drops
    their connections without closing them (``kombu.pools.set_limit``).
    """
    celery.pool.resize(celery.pool.limit, force=True, reset=True)
