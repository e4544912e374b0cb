"""The connections that Celery keeps in kombu's pools, which are the process's: they outlive the app that made them."""

from typing import Any


def close_connections(celery: Any) -> None:
    """Close what an app has in the pools, and leave them usable.

    Never set an app's ``broker_pool_limit`` to 0 here: kombu has one limit for all pools of the process, and drops what
    they have without closing it (``kombu.pools.set_limit``).
    """
    celery.pool.resize(celery.pool.limit, force=True, reset=True)
