"""The settings, read once from ``TASKFLOW_*`` and frozen."""

import importlib.util
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from taskflow.errors import SettingsError

DATABASES: Final = ("sqlite", "postgresql", "postgres", "postgresql+psycopg", "sqlite+pysqlite")
"""Schemes of ``database_url``."""


class Settings(BaseSettings):
    """Settings of one environment. Every field is the environment variable ``TASKFLOW_<NAME>``.

    Durations are seconds or ISO 8601.
    """

    model_config = SettingsConfigDict(env_prefix="TASKFLOW_", frozen=True, extra="forbid")

    redis_url: str | None = Field(
        None, description="Store: redis://, rediss:// or unix://. Default: the embedded Valkey."
    )
    store_replicas: int = Field(
        0, ge=0, description="How many replicas of the store must have a run when it is triggered."
    )
    broker_url: str | None = Field(None, description="Celery broker: Redis, Valkey or amqp://. Default: the store.")
    environment: str = Field(
        "dev", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Runs of two environments never meet."
    )
    version: str | None = Field(
        None, pattern=r"^\S{1,64}$", description="Version of the code. Default: the git commit of the tasks' folder."
    )
    tasks: Annotated[tuple[str, ...], NoDecode] = Field((), description="Modules to import, separated by commas.")
    home: Path = Field(Path(".taskflow"), description="Folder of the embedded store and history.")
    database_url: str | None = Field(
        None, description="History: sqlite:///path or postgresql://. Default: SQLite in home. none: no history."
    )
    history_retention: timedelta = Field(timedelta(days=30), description="How long finished runs stay in the history.")
    shards: int = Field(1, ge=1, le=256, description="Into how many shards the store is split.")
    heartbeat: timedelta = Field(timedelta(seconds=3), description="How often a node renews its lease.")
    lease: timedelta = Field(timedelta(seconds=9), description="How long a silent node keeps its runs.")
    connect_timeout: timedelta = Field(timedelta(seconds=5), description="How long a verb waits for the store.")
    retention: timedelta = Field(timedelta(hours=24), description="How long finished runs are kept.")
    reservation_timeout: timedelta = Field(
        timedelta(seconds=30), description="After which an unclaimed ticket is published again, doubling to 10 minutes."
    )
    ticket_hold: timedelta = Field(
        timedelta(minutes=5),
        description="After which a RabbitMQ ticket is acknowledged though its run goes on: below its consumer_timeout.",
    )
    concurrency_limit: int | None = Field(
        None, ge=1, description="How many runs of the environment execute at a time; no queue may have more."
    )
    burst_factor: float = Field(
        1.0, ge=1, description="The environment as a whole may execute so many times its concurrency_limit."
    )
    max_lost: int = Field(10, ge=0, description="Lost attempts after which a run is SYSTEM_FAILURE.")
    payload_limit: int = Field(3_000_000, ge=1, description="Largest payload, bytes of JSON.")
    inline_limit: int = Field(
        512_000, ge=1, description="Larger payloads and outputs, bytes of JSON, go to the object store."
    )
    object_store: str | None = Field(
        None, description="Large payloads and outputs: a folder or an fsspec URL. Default: the folder objects in home."
    )
    output_limit: int = Field(10_000_000, ge=1, description="Largest output, bytes of JSON.")
    cancel_grace: timedelta = Field(
        timedelta(seconds=10), description="How long a canceled coroutine may take to stop before its node exits."
    )
    shutdown_grace: timedelta = Field(
        timedelta(seconds=30), description="Within which a node that was asked to stop finishes or interrupts its runs."
    )
    pending_version_timeout: timedelta = Field(
        timedelta(days=1), description="How long a run may wait for a worker that registers its task and queue."
    )
    stream_items: int = Field(100_000, ge=1, description="Items that one stream of a run may hold.")
    stream_bytes: int = Field(32_000_000, ge=1, description="Bytes of JSON that one stream of a run may hold.")
    log_lines: int = Field(10_000, ge=1, description="Log lines that are kept of one run.")
    log_bytes: int = Field(1_000_000, ge=1, description="Bytes of log lines that are kept of one run.")
    suspend_after: timedelta = Field(
        timedelta(seconds=60), description="How long a durable run waits in memory before it waits without a process."
    )
    async_concurrency: int = Field(1000, ge=1, description="Runs at a time in one node of the async executor.")
    waiting_limit: int | None = Field(
        None,
        ge=1,
        description="Extra child processes that a node may start while children wait. Default: what the memory holds.",
    )
    machines: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="Machine presets of the project: name to vCPU and GB, as JSON."
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _split_modules(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator(
        "heartbeat",
        "lease",
        "connect_timeout",
        "retention",
        "history_retention",
        "reservation_timeout",
        "ticket_hold",
        "cancel_grace",
        "shutdown_grace",
        "pending_version_timeout",
        "suspend_after",
        mode="before",
    )
    @classmethod
    def _read_seconds(cls, value: object) -> object:
        """Read the text of an environment variable as seconds if it is a number. Pydantic itself reads ISO 8601."""
        try:
            return float(value) if isinstance(value, str) else value
        except ValueError:
            return value

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str | None) -> str | None:
        if value is None or value == "none":
            return value
        scheme, _, rest = value.partition("://")
        if scheme not in DATABASES:
            raise ValueError("no database that the history knows; write postgresql://..., sqlite:////path or none")
        if scheme.startswith("sqlite"):
            if rest.strip("/") in ("", ":memory:"):
                raise ValueError("other processes can't read a database in memory; write sqlite:////path or none")
            return value
        if importlib.util.find_spec("psycopg") is None:
            raise ValueError("PostgreSQL's driver is missing; install it: pip install 'celery-taskflow[postgres]'")
        try:
            _ = urlsplit(value).port
        except ValueError:
            raise ValueError("its port is not a number; %-encode special characters of the password") from None
        return value

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease < 2 * self.heartbeat:
            raise ValueError(
                f"lease ({self.lease.total_seconds():g} s) must be at least two heartbeats "
                f"({self.heartbeat.total_seconds():g} s each), or one lost packet would take a node's runs away"
            )
        return self

    @model_validator(mode="after")
    def _embedded_store_has_no_replicas(self) -> Self:
        if self.store_replicas and not self.redis_url:
            raise ValueError(
                f"store_replicas ({self.store_replicas}) needs redis_url: the embedded store has no replicas, so that "
                "every trigger would make its run and raise ReplicasMissingError"
            )
        return self

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """Read the environment, overridden by keyword.

        Raises:
            SettingsError: A setting is wrong; the message names each one, its value and the reason.
        """
        try:
            return cls(**overrides)
        except ValidationError as invalid:
            raise SettingsError(_explain(invalid)) from None


def _explain(invalid: ValidationError) -> str:
    lines = [
        f"TASKFLOW_{'_'.join(str(part) for part in error['loc']).upper()}: {error['msg']}{_got(error)}"
        if error["loc"]
        else error["msg"]
        for error in invalid.errors(include_url=False)
    ]
    return "Settings are wrong. " + "; ".join(lines)


def _got(error: ErrorDetails) -> str:
    has_password = str(error["loc"][-1]).endswith("_url")
    return "" if has_password else f" (got {error['input']!r})"
