"""Database connections around attempts: kept for ``CONN_MAX_AGE`` or in Django's pool, as between requests.

A ``def`` task uses the connections of its child's one thread. ORM calls of all ``async def`` tasks of a node run in the
one thread of ``sync_to_async``, so that is where their connections are looked after.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections

from taskflow import tasks

_HOOK: Final = "django connections"


def look_after() -> None:
    """Look after the connections around every attempt of every task."""
    tasks.middleware(_HOOK)(around_attempt)


def around_attempt() -> Generator[None]:
    """Drop old and broken connections before and after an attempt, and keep the others."""
    prepare()
    try:
        yield
    finally:
        close_old_connections()


async def around_coroutine() -> AsyncGenerator[None]:
    """Do the same for an attempt of an ``async def`` task."""
    await sync_to_async(prepare)()
    try:
        yield
    finally:
        await sync_to_async(close_old_connections)()


def prepare() -> None:
    """Close connections that are too old, and have the others checked before their first query.

    The server may have closed one since the run before, and a run is worth more than the round trip of the check.
    The log of queries, which DEBUG keeps, begins anew, except where a test counts them: its runs may execute in place.
    """
    close_old_connections()
    for each in connections.all(initialized_only=True):
        connection: Any = each  # the stubs lack two attributes
        if not connection.force_debug_cursor:
            connection.queries_log.clear()
        connection.health_check_enabled = connection.connection is not None
        connection.health_check_done = False


async def call_blocking(function: Callable[[], object]) -> object:
    """Call a function in the thread that has the connections of the calling coroutine."""
    return await sync_to_async(function)()


around_attempt.for_coroutines = around_coroutine  # type: ignore[attr-defined]
