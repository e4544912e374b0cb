"""The trigger of a page as code to copy: Python, and a request with curl."""

import json
import shlex
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

_WIRE: Final = {
    "concurrency_key": "concurrencyKey", "max_attempts": "maxAttempts", "max_duration": "maxDuration",
    "idempotency_key": "idempotencyKey", "idempotency_key_ttl": "idempotencyKeyTTL",
}  # fmt: skip
_TEXTS: Final = (
    "queue",
    "machine",
    "delay",
    "ttl",
    "concurrency_key",
    "max_duration",
    "idempotency_key",
    "idempotency_key_ttl",
)


_LARGEST: Final = 256_000
"""Longer payloads are not copied as code."""


def python_of(task_id: str, text: str, given: Mapping[str, str]) -> str:
    """Return Python code that triggers the same run, "" for one that is none, or too long."""
    if len(text) > _LARGEST:
        return ""
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    options = "".join(f",\n    {name}={value!r}" for name, value in _options(given).items())
    return f"from taskflow import tasks\n\ntasks.trigger(\n    {task_id!r},\n    {payload!r}{options},\n)\n"


def curl_of(base: str, task_id: str, text: str, given: Mapping[str, str]) -> str:
    """Return a command of curl that triggers the same run over the HTTP API, "" for one that is none, or too long."""
    if len(text) > _LARGEST:
        return ""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return ""
    options: dict[str, object] = {_WIRE.get(name, name): value for name, value in _options(given).items()}
    if "queue" in options:
        options["queue"] = {"name": options["queue"]}
    body = f'{{"payload": {text.strip()}, "options": {json.dumps(options, ensure_ascii=False)}}}'
    address = f"{base}/api/v1/tasks/{quote(task_id, safe='')}/trigger"
    return (
        f"curl {shlex.quote(address)} \\\n  -H 'content-type: application/json' \\\n"
        f'  -H "authorization: Bearer $TASKFLOW_API_KEY" \\\n  --data-raw {shlex.quote(body)}\n'
    )


def _options(given: Mapping[str, str]) -> dict[str, object]:
    options: dict[str, object] = {
        name: given[f"option_{name}"] for name in _TEXTS if given.get(f"option_{name}", "").strip()
    }
    if given.get("option_tags", "").strip():
        options["tags"] = given["option_tags"].split()
    for name, kind in (("max_attempts", int), ("priority", float)):
        try:
            options |= {name: kind(given[f"option_{name}"])} if given.get(f"option_{name}") else {}
        except ValueError:
            continue
    if given.get("test") == "1":
        options["test"] = True
    return options
