"""The options of one run on the wire, and as the engine takes them."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, cast

from pydantic import Field, StringConstraints

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import LONGEST_KEY, IdempotencyKey
from taskflow.definition.calls.trigger_options import TriggerKeywords, TriggerOptions
from taskflow.durations import Duration
from taskflow.errors import TriggerOptionError
from taskflow.server.api.wire import Flag, Number, Text, Wire

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_DATE: Final = re.compile(r"\d{4}-")
ShortText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2048)]


class KeyOptions(Wire):
    """The idempotency key as the user gave it; the client sends its hash."""

    key: ShortText | list[ShortText] | None = None
    scope: Text | None = None

    @property
    def text(self) -> str | None:
        """The key as one text."""
        return self.key if self.key is None or isinstance(self.key, str) else "-".join(self.key)


class QueueName(Wire):
    """A queue by its name; ``task/<id>`` is a task's own."""

    UNSUPPORTED = frozenset({"concurrencyLimit"})
    name: ShortText


class DebounceOptions(Wire):
    """Triggers with one key within the delay become one run."""

    key: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=512)]
    delay: ShortText | Number
    mode: Literal["leading", "trailing"] | None = None
    max_delay: ShortText | Number | None = None


class RunOptions(Wire):
    """The options of a run."""

    UNSUPPORTED = frozenset(
        {
            *(
                "lockToVersion",
                "externalDeploymentId",
                "region",
                "gates",
                "bulkActionId",
                "metadataType",
                "payloadSize",
            ),
            *("parentRunId", "resumeParentOnCompletion", "dependentAttempt", "dependentBatch", "parentAttempt"),
            *("parentBatch",),
        }
    )
    queue: QueueName | None = None
    concurrency_key: ShortText | Number | None = None
    concurrency: list[ShortText] | None = None
    payload_type: Text | None = None
    delay: ShortText | Number | None = None
    ttl: ShortText | Number | None = None
    priority: Number | None = None
    max_duration: Number | None = None
    max_attempts: Annotated[int, Field(ge=1, strict=True)] | None = None
    machine: ShortText | None = None
    tags: Text | list[Text] | None = None
    metadata: dict[str, object] | None = None
    idempotency_key: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_KEY)] | None = None
    idempotency_key_ttl: ShortText | Number | None = Field(default=None, alias="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    debounce: DebounceOptions | None = None
    test: Flag | None = None


def trigger_options(given: RunOptions, headers: Mapping[str, str] | None = None) -> TriggerOptions:
    """Return the options as the engine takes them.

    Args:
        headers: Those of the request, which may name the idempotency key as well.

    Raises:
        TriggerOptionError: One of them is not possible.
    """
    if given.concurrency:
        raise TriggerOptionError("concurrency", given.concurrency, "This server has no named concurrency limits.")
    key = given.idempotency_key or (headers or {}).get("idempotency-key") or None
    key_ttl = given.idempotency_key_ttl or (headers or {}).get("idempotency-key-ttl") or None
    debounce = given.debounce
    options: dict[str, object] = {
        "queue": given.queue.name if given.queue else None,
        "concurrency_key": _as_text(given.concurrency_key),
        "delay": None if given.delay is None else instant_or_duration("delay", given.delay),
        "ttl": given.ttl,
        "priority": given.priority,
        "max_duration": given.max_duration,
        "max_attempts": given.max_attempts,
        "machine": given.machine,
        "tags": given.tags if given.tags is not None else (),
        "metadata": given.metadata,
        "idempotency_key": idempotency_key(key, given.idempotency_key_options) if key else None,
        "idempotency_key_ttl": key_ttl,
        "debounce": debounce and _debounce(debounce),
        "test": bool(given.test),
    }
    return TriggerOptions.checked(**cast("TriggerKeywords", options))


def idempotency_key(key: str, options: KeyOptions | None = None) -> IdempotencyKey:
    """Return the engine's key for one that a client sends: 64 hex digits of SHA-256, or another text, which is hashed.

    Raises:
        TriggerOptionError: It is longer than 2048 characters.
    """
    if len(key) > LONGEST_KEY:
        raise TriggerOptionError("idempotency_key", "...", f"Use at most {LONGEST_KEY} characters.")
    digest = key if _HASH.fullmatch(key) else hashlib.sha256(key.encode(errors="replace")).hexdigest()
    shown = (options.text if options else None) or key
    return IdempotencyKey(key=shown, digest=digest[:32], scope="global")


def instant_or_duration(option: str, text: str | float) -> Duration | datetime:
    """Return the instant of an ISO text (UTC if it names no zone), or the text of a duration.

    Raises:
        TriggerOptionError: It begins like an instant and is none.
    """
    if not isinstance(text, str) or not _DATE.match(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TriggerOptionError(option, text, 'Use ISO 8601, "2026-01-31T12:00:00Z", or a duration, "5m".') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_text(key: str | float | None) -> str | None:
    if key is None or isinstance(key, str):
        return key
    return str(int(key)) if float(key).is_integer() else str(key)


def _debounce(given: DebounceOptions) -> Debounce:
    return Debounce(given.key, given.delay, mode=given.mode or "leading", max_delay=given.max_delay)
