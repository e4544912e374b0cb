"""The options of a run as the API takes them. Durations are numbers of seconds, so that none is rounded."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import from_json

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.machine import MachineSpec, resolve_machine
from taskflow.definition.queue import Queue

_FILL: Final = "0" * 32
"""Makes the 32 digits of a key's digest the 64 of the API, of which the server compares the first 32."""


def run_options(options: TriggerOptions, presets: Mapping[str, MachineSpec]) -> dict[str, object]:
    """Return the options of a run, without those that are not given: the workers' declaration of its task has these.

    A queue goes by its name, because workers declare its limits.

    Raises:
        DefinitionError: No such machine.
    """
    machine = options.machine
    given = {
        "payloadType": "application/json",
        "queue": _queue(options.queue),
        "concurrencyKey": options.concurrency_key,
        "delay": options.delay and instant_or_seconds(options.delay),
        "ttl": _seconds(options.ttl),
        "priority": options.priority or None,
        "maxDuration": _seconds(options.max_duration),
        "maxAttempts": options.max_attempts,
        "machine": None if machine is None else resolve_machine(machine, presets).name,
        "tags": options.tags or None,
        "metadata": from_json(options.metadata) if options.metadata else None,
        **key_fields(options.idempotency_key, options.idempotency_key_ttl),
        "debounce": options.debounce and _debounce(options.debounce),
        "test": options.test or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def key_fields(key: IdempotencyKey | None, ttl: timedelta | None) -> dict[str, object]:
    """Return an idempotency key: its digest to compare, and its text for people."""
    if key is None:
        return {}
    fields: dict[str, object] = {
        "idempotencyKey": f"{key.digest}{_FILL}",
        "idempotencyKeyOptions": {"key": key.key, "scope": key.scope},
    }
    return fields if ttl is None else fields | {"idempotencyKeyTTL": _seconds(ttl)}


def instant_or_seconds(when: timedelta | datetime) -> str | float:
    """Return an instant as ISO 8601, a duration as its seconds."""
    return when.isoformat() if isinstance(when, datetime) else when.total_seconds()


def _queue(queue: str | Queue | None) -> dict[str, object] | None:
    name = queue.name if isinstance(queue, Queue) else queue
    return None if name is None else {"name": name}


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _debounce(debounce: Debounce) -> dict[str, object]:
    fields = {
        "key": debounce.key,
        "delay": debounce.delay.total_seconds(),
        "mode": debounce.mode,
        "maxDelay": _seconds(debounce.max_delay),
    }
    return {name: value for name, value in fields.items() if value is not None}
