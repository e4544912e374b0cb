"""The order of tests in which one worker of a parallel run gets those that need a server which is dear to start."""

import pytest

SERVERS = {
    "rabbitmq": "rabbitmq_server",
    "postgresql": "postgres_server",
    "chromium": "tour_browser",
    "sites": "forked_sites",
}
"""The value of the parameter that selects a server, and the fixture that starts it once in each worker."""


def dear_server(item: pytest.Item) -> str | None:
    """Return which dear server a test needs, by its fixtures or by a parameter that names the server."""
    if not isinstance(item, pytest.Function):
        return None
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    values = {str(value).lower() for value in parameters.values()}
    needed = (server for server, fixture in SERVERS.items() if fixture in item.fixturenames or server in values)
    return next(needed, None)


def time_limit(item: pytest.Item) -> float:
    """Return a test's own limit in seconds, 0 without one: long tests have one, because the limit of all is short."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None and marker.args else 0


def in_one_worker(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Order the tests so that the first worker begins with all of RabbitMQ's and the second with all of PostgreSQL's.

    ``--dist worksteal`` gives each worker an equal part of the order, and an idle worker takes from the end of the
    longest part. So another worker starts RabbitMQ only when nothing else is left to do. The tests with the highest
    time limits come first in every part, because a long one that starts last keeps all other workers waiting.
    """
    needs = [dear_server(item) for item in items]
    count = max(1, workers)
    rooms = [len(items) // count + (place >= count - len(items) % count) for place in range(count)]
    parts: list[list[pytest.Item]] = [[] for _ in rooms]
    loads = [0.0] * count
    for place, server in enumerate(SERVERS):
        alike = [item for item, need in zip(items, needs, strict=True) if need == server]
        parts[place % count] += sorted(alike, key=time_limit, reverse=True)
        loads[place % count] += sum(map(time_limit, alike))
    free = [item for item, need in zip(items, needs, strict=True) if need is None]
    for item in sorted(free, key=time_limit, reverse=True):
        places = [place for place in range(count) if len(parts[place]) < rooms[place]] or range(count)
        place = min(places, key=loads.__getitem__)
        parts[place].append(item)
        loads[place] += time_limit(item)
    return [item for part in parts for item in part]
