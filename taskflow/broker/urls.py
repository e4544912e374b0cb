"""Addresses of Redis, Valkey and RabbitMQ: rewriting them for kombu, comparing them, and hiding their passwords."""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

_AMQP: Final = frozenset({"amqp", "amqps", "pyamqp"})
_TCP: Final = {"redis": "redis", "valkey": "redis", "rediss": "rediss", "valkeys": "rediss"}
_UNIX: Final = frozenset({"unix", "redis+socket", "valkey+socket"})

BATCH_SCHEME: Final = "taskflow-redis"
"""The scheme of the transport that takes tickets in batches (``redis_transport``). kombu lists it beside its own."""


@dataclass(frozen=True, slots=True, repr=False)
class RedisAddress:
    """The address of a Redis or Valkey. Two equal addresses are one server, one database and one user of it.

    Its ``repr`` does not show the parts, because ``password`` is one of them.
    """

    kind: Literal["tcp", "tls", "unix"]
    endpoint: str
    database: int
    user: str
    password: str


def is_amqp(url: str) -> bool:
    """Whether the address is one of RabbitMQ."""
    return urlsplit(url).scheme in _AMQP


def is_redis(url: str) -> bool:
    """Whether the address is one of Redis or Valkey."""
    scheme = urlsplit(url).scheme
    return scheme in _TCP or scheme in _UNIX


def kombu_url(url: str) -> str:
    """Rewrite an address into a form that kombu accepts.

    ``unix:///path?db=1`` becomes ``redis+socket:///path?virtual_host=1``, ``valkey://`` becomes ``redis://``, ``?db=1``
    becomes ``/1``. A TLS address without ``ssl_cert_reqs`` gets ``ssl_cert_reqs=required``, redis-py's default, because
    kombu alone would not check the certificate. redis-py's other options are left out, because kombu refuses them.
    Other addresses are returned unchanged.
    """
    parts = urlsplit(url)
    if parts.scheme not in _TCP and parts.scheme not in _UNIX:
        return url
    query = dict(parse_qsl(parts.query))
    database = str(_database(parts))
    query = {name: value for name, value in query.items() if name.startswith("ssl_")}  # kombu takes no others
    if parts.scheme in _UNIX:
        return _join("redis+socket", parts.netloc, parts.path, query | {"virtual_host": database})
    scheme = _TCP[parts.scheme]
    if scheme == "rediss":
        query.setdefault("ssl_cert_reqs", "required")
    return _join(scheme, parts.netloc, f"/{database}", query)


def batch_url(url: str) -> str | None:
    """Rewrite a Redis address so that kombu consumes with the batch-taking transport. None for any other address."""
    if not is_redis(url):
        return None
    scheme, rest = kombu_url(url).split("://", 1)
    return f"{BATCH_SCHEME}{'+socket' if scheme == 'redis+socket' else ''}://{rest}"


def redis_address(url: str) -> RedisAddress | None:
    """Return the parts of a Redis address, None for any other address."""
    parts = urlsplit(url)
    if not is_redis(url):
        return None
    user, password = unquote(parts.username or "") or "default", unquote(parts.password or "")
    if parts.scheme in _UNIX:
        return RedisAddress("unix", unquote(parts.path), _database(parts), user, password)
    host = (parts.hostname or "localhost").lower()
    endpoint = f"{'127.0.0.1' if host == 'localhost' else host}:{parts.port or 6379}"
    return RedisAddress("tls" if _TCP[parts.scheme] == "rediss" else "tcp", endpoint, _database(parts), user, password)


def without_password(url: str) -> str:
    """Return the address for messages and logs: no password, and no query, which may hold one."""
    parts = urlsplit(url)
    userinfo, at, endpoint = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}{':**' if colon else ''}{at}{endpoint}"
    return f"{parts.scheme}://{shown}{parts.path}"


def _database(parts: SplitResult) -> int:
    query = dict(parse_qsl(parts.query))
    written = query.get("db") or query.get("virtual_host")
    if written is None:
        written = "" if parts.scheme in _UNIX else unquote(parts.path).strip("/")
    if written and not written.isdecimal():
        raise ValueError(f"The database of {without_password(parts.geturl())} must be a number, not {written!r}.")
    return int(written or 0)


def _join(scheme: str, netloc: str, path: str, query: dict[str, str]) -> str:
    tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return f"{scheme}://{netloc}{path}{tail}"
