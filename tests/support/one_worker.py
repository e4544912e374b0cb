"""One worker of a parallel run for the tests that need a server which is dear to start."""

import pytest

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


def without_group(test: str) -> str:
    """Return a test's id as pytest knows it: xdist appends the group (``test_it[rabbitmq]@rabbitmq``)."""
    return test.rsplit("@", 1)[0] if test.rfind("@") > test.rfind("]") else test
