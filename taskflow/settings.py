"""The settings, read once from ``[tool.taskflow]``, ``.env`` and ``TASKFLOW_*``, and frozen."""

from datetime import timedelta
from typing import Any, Final, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from taskflow.errors import SettingsError
from taskflow.settings_sources import PREFIX, Written, read_sources, this_project, warn_of_unknown_variables
from taskflow.settings_values import (
    AbsolutePath,
    ApiUrl,
    BrokerUrl,
    DatabaseUrl,
    Duration,
    JsonPaths,
    KeptFor,
    Machines,
    Names,
    PublicUrl,
    ResultBackend,
    SecretKey,
    SmtpUrl,
    StoreUrl,
    WebhookSecrets,
)

EMBEDDED_ENVIRONMENT: Final = "dev"
"""The one environment that the embedded store serves."""


class Settings(BaseSettings):
    """Settings of one environment. Every field is the environment variable ``TASKFLOW_<NAME>``.

    The variable may stand in the project's ``.env``, and the field in ``[tool.taskflow]`` of its ``pyproject.toml``.
    Durations are seconds, text such as "1h30m", or ISO 8601.
    """

    model_config = SettingsConfigDict(env_prefix="TASKFLOW_", frozen=True, extra="forbid")

    redis_url: StoreUrl = Field(
        None, description="Store: redis://, rediss:// or unix://. Default: the embedded Valkey."
    )
    api_url: ApiUrl = Field(
        None, description="Server that verbs of this process go to over HTTP, instead of a store: https://host."
    )
    api_key: SecretStr | None = Field(None, description="Key for api_url, as `taskflow keys create` prints it.")
    store_replicas: int = Field(
        0, ge=0, description="How many replicas of the store must have a run when it is triggered."
    )
    broker_url: BrokerUrl = Field(None, description="Celery broker: Redis, Valkey or amqp://. Default: the store.")
    celery_result_backend: ResultBackend = Field(
        None,
        description="Celery result backend of plain producers. Default: those of rpc:// are answered; none: nobody.",
    )
    environment: str = Field(
        "dev", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Runs of two environments never meet."
    )
    version: str | None = Field(
        None, pattern=r"^\S{1,64}$", description="Version of the code. Default: the git commit of the tasks' folder."
    )
    tasks: Names = Field((), description="Modules to import, separated by commas.")
    on_commit: bool = Field(
        True, description="Whether a trigger in a database transaction makes its run when that is committed."
    )
    outbox: bool = Field(
        False,
        description="Whether a trigger in a Django transaction is recorded in it, so that no killed process loses it.",
    )
    django_settings: str | None = Field(
        None,
        description="Settings module of the Django site of commands. Default: DJANGO_SETTINGS_MODULE, else that of "
        "manage.py. none: no site.",
    )
    flask_app: str | None = Field(
        None,
        description="Flask app of commands and workers: shop:create_app. Default: FLASK_APP, else wsgi.py or app.py. "
        "none: no app.",
    )
    home: AbsolutePath = Field(
        default_factory=lambda: this_project().home,
        description="Folder of the embedded store and history. Default: .taskflow in the project's folder.",
    )
    database_url: DatabaseUrl = Field(
        None, description="History: sqlite:///path or postgresql://. Default: SQLite in home. none: no history."
    )
    history_retention: Duration = Field(timedelta(days=30), description="How long finished runs stay in the history.")
    shards: int = Field(1, ge=1, le=256, description="Into how many shards the store is split.")
    heartbeat: Duration = Field(timedelta(seconds=3), description="How often a node renews its lease.")
    lease: Duration = Field(timedelta(seconds=9), description="How long a silent node keeps its runs.")
    connect_timeout: Duration = Field(timedelta(seconds=5), description="How long a verb waits for the store.")
    retention: Duration = Field(timedelta(hours=24), description="How long finished runs are kept.")
    reservation_timeout: Duration = Field(
        timedelta(seconds=30), description="After which an unclaimed ticket is published again, doubling to 10 minutes."
    )
    ticket_hold: Duration = Field(
        timedelta(minutes=5),
        description="After which a RabbitMQ ticket is acknowledged though its run goes on: below its consumer_timeout.",
    )
    concurrency_limit: int | None = Field(
        None, ge=1, description="How many runs of the environment execute at a time; no queue may have more."
    )
    burst_factor: float = Field(
        1.0, ge=1, description="The environment as a whole may execute so many times its concurrency_limit."
    )
    max_lost: int = Field(10, ge=0, description="Lost attempts, within hours, after which a run is SYSTEM_FAILURE.")
    payload_limit: int = Field(3_000_000, ge=1, description="Largest payload, bytes of JSON.")
    inline_limit: int = Field(
        512_000, ge=1, description="Larger payloads and outputs, bytes of JSON, go to the object store."
    )
    object_store: str | None = Field(
        None, description="Large payloads and outputs: a folder or an fsspec URL. Default: the folder objects in home."
    )
    output_limit: int = Field(10_000_000, ge=1, description="Largest output, bytes of JSON.")
    cancel_grace: Duration = Field(
        timedelta(seconds=10), description="How long a canceled coroutine may take to stop before its node exits."
    )
    shutdown_grace: Duration = Field(
        timedelta(seconds=30), description="Within which a node that was asked to stop finishes or interrupts its runs."
    )
    pending_version_timeout: Duration = Field(
        timedelta(days=1), description="How long a run may wait for a worker that registers its task and queue."
    )
    stream_items: int = Field(100_000, ge=1, description="Items that one stream of a run may hold.")
    stream_bytes: int = Field(32_000_000, ge=1, description="Bytes of JSON that one stream of a run may hold.")
    log_lines: int = Field(10_000, ge=1, description="Log lines that are kept of one run.")
    log_bytes: int = Field(1_000_000, ge=1, description="Bytes of log lines that are kept of one run.")
    suspend_after: Duration = Field(
        timedelta(seconds=60), description="How long a durable run waits in memory before it waits without a process."
    )
    async_concurrency: int = Field(1000, ge=1, description="Runs at a time in one node of the async executor.")
    waiting_limit: int | None = Field(
        None,
        ge=1,
        description="Extra child processes that a node may start while children wait. Default: what the memory holds.",
    )
    secret_key: SecretKey = Field(
        None,
        min_length=16,
        description="Signs public tokens and token URLs. Default: one kept in home; several hosts need the same one.",
    )
    public_url: PublicUrl = Field(
        None, description="Address of taskflow server as others reach it, for the URLs of tokens."
    )
    dashboard_url: PublicUrl = Field(
        None,
        description="Address of the dashboard as browsers reach it: Flower's pages link to it. Default: public_url.",
    )
    flower_url: PublicUrl = Field(
        None,
        description="Address of Flower as browsers reach it: the dashboard's pages of runs and workers link to it.",
    )
    webhook_secrets: WebhookSecrets = Field(
        default_factory=dict,
        description="Secrets of webhook tasks whose source has none, by task id, as JSON: one or several.",
    )
    webhook_dedupe: KeptFor = Field(
        timedelta(days=4), description="How long a delivery that is sent again makes no second run."
    )
    webhook_retention: KeptFor = Field(timedelta(days=4), description="How long deliveries of webhooks are kept.")
    machines: Machines = Field(
        default_factory=dict, description="Machine presets of the project: name to vCPU and GB, as JSON."
    )

    server_body_limit: int = Field(3_145_728, ge=1024, description="Largest body of a request to the server, bytes.")
    server_batch_limit: int = Field(10_000, ge=1, le=10_000, description="Most items of a batch over HTTP.")
    server_rate_limit: str = Field(
        "5000/s",
        pattern=r"^(none|[1-9][0-9]{0,4}/[0-9]{0,5}[smhd])$",
        description='Requests of one API key: "100/s", "1000/m"; none: no limit. A key may have its own.',
    )
    redact: JsonPaths = Field(
        (),
        description="Values that the dashboard hides in payloads, outputs and metadata: JSON paths, with commas.",
    )
    server_streams: int = Field(1000, ge=1, description="Open streams of one server process.")
    server_body_timeout: Duration = Field(
        timedelta(seconds=30), description="Within which the body of a request must have come."
    )
    server_shutdown_grace: Duration = Field(
        timedelta(seconds=10), description="Within which a server that was asked to stop ends its requests."
    )
    server_cors_origins: Names = Field(
        (), description="Origins whose pages may call the server, separated by commas; *: all. Default: none."
    )
    server_forwarded_allow_ips: Names = Field(
        (), description="Proxies whose X-Forwarded-For and -Proto count, separated by commas. Default: none."
    )

    smtp_url: SmtpUrl = Field(
        None,
        description="smtp://user:password@host:587 (STARTTLS), smtps://, or smtp+plain:// without TLS: sends e-mail.",
    )
    alert_sender: str | None = Field(None, description="The e-mail address that alerts come from.")

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease < 2 * self.heartbeat:
            raise ValueError(
                f"lease ({self.lease.total_seconds():g} s) must be at least two heartbeats "
                f"({self.heartbeat.total_seconds():g} s each), or one lost packet would take a node's runs away"
            )
        return self

    @model_validator(mode="after")
    def _server_wants_a_key(self) -> Self:
        key = self.api_key.get_secret_value() if self.api_key else ""
        if self.api_url and not key:
            raise ValueError(
                f"api_url ({self.api_url}) needs api_key: set TASKFLOW_API_KEY to a key that `taskflow keys create` "
                "has printed where the server's store is"
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("api_key is no key: it has characters that no key has. Copy it again, without quotes")
        return self

    @model_validator(mode="after")
    def _embedded_store_has_no_replicas(self) -> Self:
        if self.store_replicas and not self.redis_url and not self.api_url:
            raise ValueError(
                f"store_replicas ({self.store_replicas}) needs redis_url: the embedded store has no replicas, so that "
                "every trigger would make its run and raise ReplicasMissingError"
            )
        return self

    @model_validator(mode="after")
    def _embedded_store_is_for_development(self) -> Self:
        if self.environment != EMBEDDED_ENVIRONMENT and not self.redis_url and not self.api_url:
            raise ValueError(
                f"the environment {self.environment!r} has no store: TASKFLOW_REDIS_URL is not set, and the embedded "
                f"store serves {EMBEDDED_ENVIRONMENT!r} only, so that no deployment triggers into a store of its own. "
                "Set TASKFLOW_REDIS_URL, for example redis://host:6379/0"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Replace pydantic's sources by one that also reads the project's files."""
        return init_settings, _Sources(settings_cls)

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """Read the project's files and the environment, overridden by keyword.

        Raises:
            SettingsError: A setting is wrong; the message names each one, its value and the reason.
        """
        try:
            settings = cls(**overrides)
        except ValidationError as invalid:
            raise SettingsError(_explain(invalid, read_sources(cls.model_fields))) from None
        warn_of_unknown_variables(cls.model_fields)
        return settings


class _Sources(PydanticBaseSettingsSource):
    """Hands pydantic what is written in the project's files and in the environment."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing: ``__call__`` returns all values at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values by field."""
        return {name: written.value for name, written in read_sources(self.settings_cls.model_fields).items()}


def _explain(invalid: ValidationError, written: dict[str, Written]) -> str:
    lines = [
        f"{PREFIX}{'_'.join(str(part) for part in error['loc']).upper()}: {_reason(error)}"
        f"{_got(error, written.get(str(error['loc'][0])))}"
        if error["loc"]
        else _reason(error)
        for error in invalid.errors(include_url=False)
    ]
    return "Settings are wrong. " + "; ".join(lines)


def _reason(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


def _got(error: ErrorDetails, written: Written | None) -> str:
    """Return the value and its place. Not the value of a URL, which may hold a password, nor of a secret."""
    has_password = str(error["loc"][-1]).endswith(("_url", "_backend", "_key")) or "_secret" in str(error["loc"][0])
    shown = [] if has_password else [f"got {error['input']!r}"]
    if written and written.place:
        shown.append(written.place)
    return f" ({', '.join(shown)})" if shown else ""
