"""Why a run does not start, does not go on, or has not completed, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a run does not start, does not go on, or has not completed."""

    QUEUE_PAUSED = "queue_paused"
    ENVIRONMENT_PAUSED = "environment_paused"
    CONCURRENCY_LIMIT = "concurrency_limit"
    KEY_LIMIT = "key_limit"
    TOTAL_LIMIT = "total_limit"
    ENVIRONMENT_LIMIT = "environment_limit"
    RATE_LIMIT = "rate_limit"
    NO_WORKER = "no_worker"
    WORKERS_BUSY = "workers_busy"
    BROKER_REFUSES = "broker_refuses"
    UNKNOWN_TASK = "unknown_task"
    UNKNOWN_QUEUE = "unknown_queue"
    OTHER_VERSION = "other_version"
    DELAYED = "delayed"
    DEBOUNCED = "debounced"
    RETRY = "retry"
    WAITS_FOR_TIME = "waits_for_time"
    WAITS_FOR_TOKEN = "waits_for_token"
    WAITS_FOR_RUN = "waits_for_run"
    WAITS_FOR_BATCH = "waits_for_batch"
    WAITS_FOR_INPUT = "waits_for_input"
    WAITS_FOR_SEVERAL = "waits_for_several"
    LATE_HEARTBEAT = "late_heartbeat"
    FINAL_HOOKS = "final_hooks"
    EXPIRED = "expired"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    CRASHED = "crashed"
    SYSTEM_FAILURE = "system_failure"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run does not start, does not go on, or has not completed.

    Attributes:
        code: For programs.
        text: One sentence for people, with what they can do about it.
        details: The facts of the sentence: names, numbers, and aware instants.
    """

    code: ReasonCode
    text: str
    details: Mapping[str, object] = field(default_factory=dict[str, object])

    def __str__(self) -> str:
        return self.text
