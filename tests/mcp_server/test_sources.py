"""What only these tools and the dashboard read is the same on the store and over HTTP."""

from collections.abc import Iterator

import pytest

from taskflow import ErrorGroupNotFoundError, RunFailedError, Settings, error_groups, tasks
from taskflow.http_client.application import ServerClient
from taskflow.seams.current_application import CURRENT
from taskflow.seams.error_groups import ErrorGroup
from tests.mcp_server.conftest import Place
from tests.support.http_server import HttpServer
from tests.support.waiting import wait_until


@pytest.fixture
def client(place: Place, api_server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerClient]:
    """The client of the server, which verbs use."""
    client = ServerClient(Settings.read(api_url=api_server.url, api_key=place.key, redis_url=None, tasks=()))
    monkeypatch.setattr(CURRENT, "application", client)
    yield client
    client.close()


async def test_tasks_are_the_same(place: Place, client: ServerClient) -> None:
    here, over_http = await place.flow.engine.tasks.alist(), await client.engine.tasks.alist()
    registered = [task for task in here if task.is_registered]
    assert {"mc-pack", "mc-plain", "mc-tick"} <= {task.id for task in registered}
    assert [task for task in over_http if task.is_registered] == registered
    assert await client.engine.tasks.aretrieve("mc-pack") == await place.flow.engine.tasks.aretrieve("mc-pack")
    for unknown in ("mc-none", "", "\ud800", "a/b c"):
        assert await client.engine.tasks.aretrieve(unknown) is None
        assert await place.flow.engine.tasks.aretrieve(unknown) is None


def test_groups_of_errors_are_read_and_changed(place: Place, client: ServerClient) -> None:
    """The name of who changed one is that of the key."""
    with pytest.raises(RunFailedError):
        tasks.trigger("mc-fail", "sources", max_attempts=1).result(20)

    def found() -> list[ErrorGroup]:
        return [group for group in error_groups.list(task="mc-fail") if group.message == "no parcel sources"]

    (group,) = wait_until(found, "the history to have the failure", timeout=20)
    assert (group.type, group.tasks) == ("ValueError", {"mc-fail": 1})
    CURRENT.application = place.flow
    here = error_groups.retrieve(group.id)
    CURRENT.application = client
    there = error_groups.retrieve(group.id)
    assert (there.first_at, there.last_at, there.attempts) == (here.first_at, here.last_at, here.attempts)
    error_groups.resolve(group.id, version="v7", reason="mended")
    resolved = error_groups.retrieve(group.id)
    assert (resolved.state, resolved.resolved_in) == ("resolved", "v7")
    assert str(resolved.changed_by).startswith("API key_")
    error_groups.reopen(group.id)
    for unknown in ("8c1f02ab4711d00d", "", "\0", "\ud800"):
        with pytest.raises(ErrorGroupNotFoundError):
            error_groups.mute(unknown)
