"""The order of tests in which one worker of a parallel run gets those that need a server which is dear to start."""

import pytest

SERVERS = {"rabbitmq": "rabbitmq_server", "postgresql": "postgres_server"}
"""The value of the parameter that selects a server, and the fixture that starts it once in each worker."""


def dear_server(item: pytest.Item) -> str | None:
    """Return which dear server a test needs, by its fixtures or by a parameter that names the server."""
    if not isinstance(item, pytest.Function):
        return None
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    values = {str(value).lower() for value in parameters.values()}
    needed = (server for server, fixture in SERVERS.items() if fixture in item.fixturenames or server in values)
    return next(needed, None)


def in_one_worker(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Order the tests so that the first worker begins with all of RabbitMQ's and the second with all of PostgreSQL's.

    ``--dist worksteal`` gives each worker an equal part of the order, and an idle worker takes from the end of the
    longest part. So another worker starts RabbitMQ only when nothing else is left to do.
    """
    needs = [dear_server(item) for item in items]
    first, second = ([item for item, need in zip(items, needs, strict=True) if need == server] for server in SERVERS)
    free = [item for item, need in zip(items, needs, strict=True) if need is None]
    begin = max(0, len(items) // workers - len(first)) if workers > 1 else len(free)
    return [*first, *free[:begin], *second, *free[begin:]]
