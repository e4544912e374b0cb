"""Public tokens: the official client asks for them, and its holders may do what their scopes say."""

import time
from typing import Any

import pytest

from tests.interop.official_client import ClientError, OfficialClient
from tests.interop.test_realtime import triggered
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.timeout(60)


def refusal(client: OfficialClient, call: str, *args: Any, key: str, **how: Any) -> tuple[int | None, str | None]:
    """Return status and code of a call that is refused."""
    with pytest.raises(ClientError) as refused:
        client.call(call, *args, key=key, **how)
    return refused.value.status, refused.value.code


def token_for(client: OfficialClient, scopes: Any, **options: Any) -> str:
    """Return a public token."""
    return str(client.call("auth.createPublicToken", {"scopes": scopes, **options}))


def test_a_handle_brings_a_token_for_its_run(client: OfficialClient) -> None:
    """A back end hands it to a page, which reads this run and sends to it, and nothing else."""
    handle, other = (client.call("tasks.trigger", "interop-progress", 1) for _ in range(2))
    token = handle["publicAccessToken"]
    assert client.call("runs.retrieve", handle["id"], key=token)["id"] == handle["id"]
    send = {"member": "send", "memberArgs": [handle["id"], "end"]}
    client.call("streams.input", {"id": "answers"}, key=token, **send)
    states = client.call("runs.subscribeToRun", handle["id"], all=True, key=token)
    assert states[-1]["status"] == "COMPLETED"
    assert refusal(client, "runs.retrieve", other["id"], key=token) == (403, "unauthorized")
    assert refusal(client, "runs.cancel", handle["id"], key=token) == (403, "unauthorized")
    assert refusal(client, "tasks.trigger", "interop-echo", 1, key=token) == (403, "unauthorized")
    assert refusal(client, "runs.list", {}, key=token) == (403, "unauthorized")
    send = {"member": "send", "memberArgs": [other["id"], "end"]}
    assert refusal(client, "streams.input", {"id": "answers"}, key=token, **send) == (403, "unauthorized")
    client.call("streams.input", {"id": "answers"}, member="send", memberArgs=[other["id"], "end"])


@pytest.mark.parametrize("scopes", [{"runs": "RUN"}, {"tags": "a:b"}, {"tasks": "interop-echo"}, {"runs": True}])
def test_a_run_is_read_with_any_scope_that_names_it(client: OfficialClient, scopes: dict[str, Any]) -> None:
    """The run, one of its tags (which may hold a colon), its task, or all runs."""
    run_id = triggered(client, "interop-echo", 1, tags=["a:b"])
    token = token_for(client, {"read": {kind: run_id if name == "RUN" else name for kind, name in scopes.items()}})
    assert client.call("runs.retrieve", run_id, key=token)["id"] == run_id
    assert client.call("runs.subscribeToRun", run_id, all=True, key=token)[-1]["status"] == "COMPLETED"


@pytest.mark.parametrize("scopes", [{"runs": "run_other"}, {"tags": "a"}, {"tasks": "interop"}, {"batch": "batch_1"}])
def test_other_scopes_do_not_read_a_run(client: OfficialClient, scopes: dict[str, Any]) -> None:
    """Neither a part of a name nor another type is enough."""
    run_id = triggered(client, "interop-echo", 1, tags=["a:b"])
    token = token_for(client, {"read": scopes})
    assert refusal(client, "runs.retrieve", run_id, key=token) == (403, "unauthorized")


def test_runs_with_a_tag_are_followed_with_a_scope_for_the_tag(client: OfficialClient) -> None:
    """One of the tags that are asked for is enough."""
    mark = f"scope-{time.time_ns()}"
    run_id = triggered(client, "interop-echo", 1, tags=[mark])
    token = token_for(client, {"read": {"tags": mark}})
    states = client.call("runs.subscribeToRunsWithTag", mark, key=token, until={"status": "COMPLETED"})
    assert states[-1]["id"] == run_id


def test_a_one_time_token_is_spent_by_the_first_trigger_that_is_accepted(client: OfficialClient) -> None:
    """A refused one does not spend it; a second one is 422, which the client does not repeat."""
    token = client.call("auth.createTriggerPublicToken", "interop-greet", {"expirationTime": "24hr"})
    assert refusal(client, "tasks.trigger", "interop-echo", 1, key=token) == (403, "unauthorized")
    assert refusal(client, "tasks.trigger", "interop-greet", {"message": 1}, key=token)[0] == 422
    handle = client.call("tasks.trigger", "interop-greet", {"message": "hi"}, key=token)
    assert client.call("runs.retrieve", handle["id"])["taskIdentifier"] == "interop-greet"
    began = time.monotonic()
    assert refusal(client, "tasks.trigger", "interop-greet", {"message": "hi"}, key=token) == (422, "token_used")
    assert time.monotonic() - began < 1


def test_a_token_for_many_uses_is_not_spent(client: OfficialClient) -> None:
    """``multipleUse`` makes no one-time token."""
    token = client.call("auth.createTriggerPublicToken", "interop-echo", {"multipleUse": True})
    first, second = (client.call("tasks.trigger", "interop-echo", 1, key=token)["id"] for _ in range(2))
    assert first != second


def test_a_token_expires(client: OfficialClient) -> None:
    """To the second, and the reason is a code of its own."""
    token = token_for(client, {"read": {"runs": True}}, expirationTime="1s")
    run_id = triggered(client, "interop-echo", 1)
    time.sleep(1.1)
    assert refusal(client, "runs.retrieve", run_id, key=token) == (401, "token_expired")


@pytest.mark.parametrize("expiry", ["soon", "1y", 1, "31d"])
def test_impossible_lives_are_refused(client: OfficialClient, expiry: object) -> None:
    """A token of a page lives 30 days at most."""
    options = {"scopes": {"read": {"runs": True}}, "expirationTime": expiry}
    assert refusal(client, "auth.createPublicToken", options, key=client.key) == (422, "invalid_option")


def test_only_secret_keys_make_tokens(client: OfficialClient, world: ApiServer) -> None:
    """Neither a public token nor a key that may only read; an unknown key is no key."""
    options = {"scopes": {"read": {"runs": True}}}
    token = token_for(client, {"read": {"runs": True}, "write": {"runs": True}})
    assert refusal(client, "auth.createPublicToken", options, key=world.new_key(is_read_only=True)) == (
        403,
        "read_only_key",
    )
    assert refusal(client, "wait.createToken", {}, key=token)[0] == 403
    assert refusal(client, "auth.createPublicToken", options, key=f"tr_dev_sk_{'a' * 24}") == (401, "invalid_key")
    root = f"tr_dev_{'a' * 24}"
    assert refusal(client, "runs.retrieve", "run_1", key=root) == (401, "invalid_key")


def test_another_environment_does_not_take_a_token(client: OfficialClient, world: ApiServer) -> None:
    """Its servers have other keys, though the secret may be the same."""
    from datetime import UTC, datetime, timedelta

    from taskflow.seams.public_tokens import PublicClaims, sign_token

    now = datetime.now(UTC)
    claims = PublicClaims("env_other", ("read:runs",), now + timedelta(hours=1))
    for key in (world.fleet.flow.server_secret.key("public-tokens"), client.key.encode()):
        assert refusal(client, "runs.retrieve", "run_1", key=sign_token(claims, key, now)) == (401, "invalid_token")
