"""The rest in store and broker when no run is left: keys and messages, compared with the table in ARCHITECTURE.md."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tests.support.servers import Client, RabbitServer

ARCHITECTURE = Path(__file__).parents[2] / "ARCHITECTURE.md"
EMPTY = re.compile(
    r".*(:live|:delayed|:effects|:canvas|:runs|:slots(:.*)?|:holders|:pending:.*|:turns|:classes|:count:.*|:waiting"
    r"|:children:.*|:tickets:.*|:unclaimed:.*|:deserted|:wait:.*|:waiters:.*)"
)
"""Keys of things in progress: slots, tickets, reservations, children."""
SLACK_MS = 1000


def permanent_keys() -> re.Pattern[str]:
    """Return the keys that the table calls permanent without a condition, and those that live as long as a node."""
    patterns: list[str] = []
    for row in ARCHITECTURE.read_text().splitlines():
        if not row.startswith("| `:"):
            continue
        names, *_, life = row.strip("| ").split(" | ")
        is_permanent = life.startswith("permanent") and "while" not in life
        if is_permanent or life.startswith(("removed with the node", "capped")):
            patterns += _patterns(names)
    return re.compile("|".join(patterns))


def _patterns(names: str) -> list[str]:
    keys: list[str] = []
    first = ""
    for name in cast("list[str]", re.findall(r"`([^`]+)`", names)):
        first = first or name
        full = first + name[1:] if name.startswith("…") else name
        text = re.sub(r"\\\[(.+?)\\\]", r"(?:\1)?", re.escape(full))
        keys.append(re.sub(r"<[^>]*>", "[^:]+", text.replace(r"\ ", " ")))
    return keys


def leftovers(client: Client, environment: str, shards: int) -> list[str]:
    """Return the keys that are left in the store. Empty when the store is idle as it should be."""
    problems: list[str] = []
    permanent = permanent_keys()
    live = {run for shard in range(shards) for run in _members(client, f"{{tf:{environment}:{shard}}}:live")}
    nodes = {node for shard in range(shards) for node in _members(client, f"{{tf:{environment}:{shard}}}:nodes")}
    for key in cast("list[str]", client.execute_command("KEYS", f"{{tf:{environment}:*")):
        name = key.partition("}")[2]
        if name == ":timers":
            problems += _timers_left(client, key)
        elif name.startswith((":stream:", ":input:", ":streams:")):
            problems += _stream_left(client, key)
        elif name.startswith((":journal:", ":waits:")):
            problems += _journal_left(client, key)
        elif name.startswith((":token:", ":token_key:")):
            problems += _token_left(client, key)
        elif EMPTY.fullmatch(name):
            problems.append(f"{name} is left: {_shown(client, key)}")
        elif client.execute_command("PTTL", key) == -1 and not permanent.fullmatch(name) and name[5:] not in live:
            problems.append(f"{name} has no TTL")
        elif name.startswith(":node:") and name.split(":")[2] not in nodes:
            problems.append(f"{name} is of a node that is gone")
    for key in cast("list[str]", client.execute_command("KEYS", f"{environment}.*")):
        problems.append(f"{client.execute_command('LLEN', key)} messages are left in {key}")
    if client.execute_command("EXISTS", "unacked"):
        problems.append(f"{client.execute_command('HLEN', 'unacked')} messages are left unacknowledged")
    return problems


def _journal_left(client: Client, key: str) -> list[str]:
    """A journal stays only of a durable run that did not complete, and not longer than the run's record."""
    base, _, run_id = key.partition("}")[2].removeprefix(":").partition(":")
    run = key.replace(f":{base}:{run_id}", f":run:{run_id}")
    status = client.execute_command("HGET", run, "status")
    left, most = client.execute_command("PTTL", key), client.execute_command("PTTL", run)
    if client.execute_command("HGET", run, "durable") is None or status == "COMPLETED":
        return [f":{base}:{run_id} is left: {_shown(client, key)}"]
    return [] if 0 < left <= most + SLACK_MS else [f":{base}:{run_id} of a run that is {status} has no TTL"]


def _timers_left(client: Client, key: str) -> list[str]:
    """Return the timers that are left. Only timeouts of open tokens and expiries of completed ones may be."""
    tokens = {f"token:{token}" for token in _members(client, f"{key.removesuffix(':timers')}:tokens")}
    return [f"the timer {timer!r} is left" for timer in _members(client, key) if timer not in tokens]


def _stream_left(client: Client, key: str) -> list[str]:
    """Return a problem when a stream does not expire with the record of its run."""
    base, _, name = key.partition("}")
    record = f"{base}}}:run:{name.split(':')[2]}"
    left, kept = (client.execute_command("PTTL", each) for each in (key, record))
    return [] if 0 < left <= kept + SLACK_MS else [f"{name} has a TTL of {left} ms, its run one of {kept} ms"]


def _token_left(client: Client, key: str) -> list[str]:
    """Return a problem when a completed token, or its idempotency key, has no TTL. An open token needs none."""
    base, _, name = key.partition("}")
    token = client.execute_command("GET", key) if name.startswith(":token_key:") else name.removeprefix(":token:")
    status = client.execute_command("HGET", f"{base}}}:token:{token}", "status")
    is_kept = status == "WAITING" or client.execute_command("PTTL", key) != -1
    return [] if is_kept else [f"{name} of a token that is {status} has no TTL"]


def messages_left(broker: RabbitServer) -> list[str]:
    """Return the tickets that are left in RabbitMQ."""
    queues = cast("list[dict[str, Any]]", broker.api("GET", f"queues/{broker.vhost}"))
    return [
        f"{queue['messages']} messages are left in {queue['name']}"
        for queue in queues
        if queue.get("messages") and not re.search(r"celery(ev|@)|pidbox", str(queue["name"]))
    ]


def _members(client: Client, key: str) -> Sequence[str]:
    return cast("Sequence[str]", client.execute_command("ZRANGE", key, 0, -1))


def _shown(client: Client, key: str) -> str:
    kind = client.execute_command("TYPE", key)
    read = {"set": ("SMEMBERS", key), "zset": ("ZRANGE", key, 0, 5), "hash": ("HGETALL", key), "string": ("GET", key)}
    return str(client.execute_command(*read[kind]))[:300] if kind in read else str(kind)
