"""The types of the settings: how the value of each is read from text, and which values are refused."""

import importlib.util
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

from taskflow.durations import parse_duration
from taskflow.errors import DefinitionError
from taskflow.json_paths import parse_path, split_paths

_DATABASES: Final = ("sqlite", "postgresql", "postgres", "postgresql+psycopg", "sqlite+pysqlite")
_STORES: Final = ("redis", "rediss", "unix", "valkey", "valkeys", "redis+socket", "valkey+socket")
_BROKERS: Final = (*_STORES, "amqp", "amqps", "pyamqp")
_RIGHT_STORE: Final = "write redis://host:6379/0, rediss:// or unix:///path"
_RIGHT_BROKER: Final = "write redis://host:6379/0 or amqp://user:password@host:5672//"


def _split_names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _split_paths(value: object) -> object:
    return split_paths(value) if isinstance(value, str) else value


def _check_paths(value: tuple[str, ...]) -> tuple[str, ...]:
    for path in value:
        parse_path(path)
    return value


def _json_reader(example: str) -> Callable[[object], object]:
    """Return a function that reads JSON from text; its error shows the example."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"no JSON ({error}); write {example}") from None

    return read


def _read_duration(value: object, info: ValidationInfo) -> object:
    """Read the text of a duration: seconds if it is a number, else "5m". Pydantic itself reads ISO 8601."""
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        return value
    try:
        return parse_duration(_number(value), option=info.field_name or "")
    except DefinitionError as wrong:
        raise ValueError(f"{wrong.what[0].lower()}{wrong.what[1:]}; write seconds or 5m, 1h30m") from None


def _number(value: Any) -> Any:
    """Return the number that a text is, else the value itself."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _check_kept(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("less than a second; write 4d")
    return value


def _check_store_url(value: str | None) -> str | None:
    return _check_server_url(value, _STORES, _RIGHT_STORE)


def _check_broker_url(value: str | None) -> str | None:
    return _check_server_url(value, _BROKERS, _RIGHT_BROKER)


def _check_server_url(value: str | None, schemes: tuple[str, ...], right: str) -> str | None:
    if not value:
        return None
    scheme, separator, _ = value.partition("://")
    if not separator:
        raise ValueError(f"no URL; {right}")
    if scheme not in schemes:
        raise ValueError(f"{scheme}:// is not possible here; {right}")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError(f"its port is no number; {right}, and %-encode special characters of the password") from None
    if scheme in _STORES:
        _check_database_number(parts.path if "unix" not in scheme and "socket" not in scheme else "", parts.query)
    return value


def _check_database_number(path: str, query: str) -> None:
    named = parse_qs(query)
    written = (named.get("db") or named.get("virtual_host") or [unquote(path).strip("/")])[0]
    if written and not written.isdecimal():
        raise ValueError("its database must be a number; write redis://host:6379/0")


def _check_api_url(value: str | None) -> str | None:
    if not value:
        return None
    right = "write the server's address, https://tasks.example.com"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError(f"its port is no number; {right}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"no http:// or https:// address; {right}")
    if parts.username or parts.query or parts.fragment:
        raise ValueError(f"it has more than an address and a path; {right}, and the key in TASKFLOW_API_KEY")
    if importlib.util.find_spec("httpx") is None:
        raise ValueError("the HTTP client is missing; install it: pip install 'celery-taskflow[client]'")
    return value.rstrip("/")


def _check_public_url(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not the address of a server; write https://tasks.example.com")
    return value.rstrip("/")


def _check_database_url(value: str | None) -> str | None:
    if value is None or value == "none":
        return value
    scheme, _, rest = value.partition("://")
    if scheme not in _DATABASES:
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


def _check_smtp_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        url = urlsplit(value.get_secret_value())
        if url.scheme not in ("smtp", "smtps", "smtp+plain") or not url.hostname:
            raise ValueError(
                "write smtp://user:password@host:587 (STARTTLS), smtps:// for TLS from the start, or smtp+plain:// "
                "for a server without TLS"
            )
    return value


def _check_result_backend(value: str | None) -> str | None:
    if not value or value.rstrip(":/") == "rpc":
        return None
    if value != "none" and ("://" not in value or value.startswith("taskflow")):
        raise ValueError("write the result_backend of the producers, redis://host:6379/0 for example, rpc:// or none")
    return value


def _none_if_empty(value: object) -> object:
    return value or None


AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]
"""A path that stays the same when a task changes its working folder."""
ApiUrl = Annotated[str | None, AfterValidator(_check_api_url)]
BrokerUrl = Annotated[str | None, AfterValidator(_check_broker_url)]
DatabaseUrl = Annotated[str | None, AfterValidator(_check_database_url)]
Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
"""Seconds, text such as "1h30m", or ISO 8601."""
JsonPaths = Annotated[tuple[str, ...], BeforeValidator(_split_paths), AfterValidator(_check_paths)]
KeptFor = Annotated[Duration, AfterValidator(_check_kept)]
"""A duration of at least one second."""
Machines = Annotated[dict[str, tuple[float, float]], BeforeValidator(_json_reader('{"gpu": [8, 64]}'))]
Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
"""Names that a text separates by commas."""
PublicUrl = Annotated[str | None, AfterValidator(_check_public_url)]
ResultBackend = Annotated[str | None, AfterValidator(_check_result_backend)]
SecretKey = Annotated[SecretStr | None, BeforeValidator(_none_if_empty)]
SmtpUrl = Annotated[SecretStr | None, AfterValidator(_check_smtp_url)]
StoreUrl = Annotated[str | None, AfterValidator(_check_store_url)]
WebhookSecrets = Annotated[
    dict[str, SecretStr | tuple[SecretStr, ...]],
    BeforeValidator(_json_reader('{"stripe-events": ["whsec_..."]}')),
]
