"""Engines that a process has used before it forks children: each child drops the connections that it inherits.

Two processes that speak over one connection get each other's answers.
"""

import os
from functools import cache
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import SingletonThreadPool, StaticPool

_used: WeakSet[Engine] = WeakSet()


@cache
def look_after() -> None:
    """Look after all engines of the process from now on."""
    event.listen(Engine, "engine_connect", _note)
    os.register_at_fork(after_in_child=_drop)


def _note(connection: Connection) -> None:
    _used.add(connection.engine)


def _drop() -> None:
    """Begin with an empty pool. The parent's connections stay open, because the parent uses them."""
    for engine in list(_used):
        if not isinstance(engine.pool, SingletonThreadPool | StaticPool):  # a database in this process's memory
            engine.dispose(close=False)
