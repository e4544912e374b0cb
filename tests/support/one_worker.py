"""One worker of a parallel run for the tests that need a server which is dear to start."""

import re

import pytest
from _pytest.nodeid import NodeId

SERVERS = {"rabbitmq": "rabbitmq_server", "postgresql": "postgres_server"}
"""The value of the parameter that selects a server, and the fixture that starts it once in each worker."""


def group_by_server(item: pytest.Item) -> None:
    """Have one worker execute all tests with the same dear server, with pytest-xdist's ``--dist loadgroup``.

    A virtual machine of Erlang's in each of four workers costs more than the tests that use it. All other tests are
    free: a worker takes the next one when it has finished one.
    """
    if not isinstance(item, pytest.Function):
        return
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    values = {str(value).lower() for value in parameters.values()}
    for server, fixture in SERVERS.items():
        if fixture in item.fixturenames or server in values:
            item.add_marker(pytest.mark.xdist_group(server))


def name_group(item: pytest.Item) -> None:
    """Append the test's group to its id, by which ``--dist loadgroup`` schedules.

    pytest-xdist 3.8 does the same to an attribute that pytest 9.2 does not have any more, so that it groups nothing.
    """
    marker = item.get_closest_marker("xdist_group")
    if marker is not None and getattr(item.config.option, "loadgroup", False):
        item._id = NodeId.parse(f"{item.nodeid}@{marker.args[0]}")  # pyright: ignore[reportPrivateUsage] # no public way


def without_group(test: str) -> str:
    """Return a test's id as pytest knows it: without the group (``test_it[rabbitmq]@rabbitmq``)."""
    return re.sub(r"(@\w+)+$", "", test)
