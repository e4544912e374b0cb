"""Public tokens: a signature, an expiry and scopes; and how long a caller may have one."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from taskflow.errors import SettingsError
from taskflow.seams.public_tokens import PublicClaims, PublicTokenError, read_token, sign_token
from taskflow.seams.server_secret import ServerSecret
from taskflow.seams.token_links import TokenLinks, engine_token_id, wire_token_id
from taskflow.server.expiry import expiry
from taskflow.settings import Settings

pytestmark = pytest.mark.unit
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = b"k" * 32
CLAIMS = PublicClaims("env_dev", ("read:runs:run_1", "read:tags:a:b"), NOW + timedelta(minutes=15))


def forged(changed: dict[str, object], header: object = None, key: bytes = KEY) -> str:
    """Return a token with a valid signature and a changed content; None takes a claim away."""
    payload = json.loads(decoded(sign_token(CLAIMS, KEY, NOW).split(".")[1])) | changed
    payload = {name: value for name, value in payload.items() if value is not None}
    parts = [json.dumps(header or {"alg": "HS256"}).encode(), json.dumps(payload).encode()]
    signed = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    signature = hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def test_a_token_is_read_as_it_was_signed() -> None:
    """A page's token says exactly what its back end asked for."""
    claims = PublicClaims("env_dev", ("trigger:tasks:echo",), NOW + timedelta(hours=1), True, ("payload",))
    assert read_token(sign_token(claims, KEY, NOW), KEY, "env_dev", NOW) == claims
    assert sign_token(claims, KEY, NOW) != sign_token(claims, KEY, NOW), "two one-time tokens are two"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 1e300},
        {"sub": None},
        {"sub": "env_other"},
        {"pub": None},
        {"pub": 1},
        {"iss": None},
        {"aud": "https://example.com"},
    ],
)
def test_a_token_without_what_it_must_say_is_refused(changed: dict[str, object]) -> None:
    """A valid signature alone does not make a token one of this environment."""
    with pytest.raises(PublicTokenError):
        read_token(forged(changed), KEY, "env_dev", NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c",
        "!.!.!",
        "x" * 20_000,
        forged({}, header={"alg": "none"}),
        forged({}, header={"alg": "HS512"}),
        forged({}, header=[1]),
        forged({}, key=b"tr_dev_sk_" + b"a" * 24),
        sign_token(CLAIMS, KEY, NOW).rpartition(".")[0] + ".",
    ],
)
def test_what_this_server_has_not_signed_is_refused(token: str) -> None:
    """Neither another algorithm nor another key passes."""
    with pytest.raises(PublicTokenError) as refused:
        read_token(token, KEY, "env_dev", NOW)
    assert not refused.value.is_expired


def test_a_token_is_valid_to_the_second() -> None:
    """There is no leeway."""
    token = sign_token(CLAIMS, KEY, NOW)
    assert read_token(token, KEY, "env_dev", CLAIMS.expires_at - timedelta(seconds=1)).scopes == CLAIMS.scopes
    with pytest.raises(PublicTokenError) as refused:
        read_token(token, KEY, "env_dev", CLAIMS.expires_at)
    assert refused.value.is_expired


@pytest.mark.parametrize(
    "given,life",
    [
        (None, timedelta(minutes=15)),
        ("15m", timedelta(minutes=15)),
        ("24hr", timedelta(hours=24)),
        ("2 days", timedelta(days=2)),
        ("+ 1 hour from now", timedelta(hours=1)),
        ("90 secs", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("1 week", timedelta(days=7)),
        (NOW.timestamp() + 60, timedelta(seconds=60)),
        ("2026-01-02T04:04:05Z", timedelta(hours=1)),
    ],
)
def test_an_expiry_is_read_as_the_client_means_it(given: float | str | None, life: timedelta) -> None:
    """A number is an instant, a text a duration."""
    assert expiry(given, NOW) == NOW + life


@pytest.mark.parametrize(
    "given", ["", "soon", "15", "-1h", "1h ago", "31d", "1y", "999999999999y", 0, 60, NOW.timestamp() + 1e8, 1e300]
)
def test_an_expiry_that_is_none_is_refused(given: float | str) -> None:
    """A token that never expires cannot be taken back."""
    with pytest.raises(ValueError, match="it "):
        expiry(given, NOW)


def test_processes_of_one_project_share_a_secret_that_nobody_else_reads(tmp_path: Path) -> None:
    """A worker's token URL is checked by the server's process."""
    one, other = (ServerSecret(Settings.read(home=tmp_path / "home")) for _ in range(2))
    assert one.key("token-urls") == other.key("token-urls") != one.key("public-tokens")
    assert ServerSecret(Settings.read(home=tmp_path / "elsewhere")).key("token-urls") != one.key("token-urls")
    assert [file.stat().st_mode & 0o077 for file in (tmp_path / "home").glob("*secret*")] == [0]


def test_a_configured_secret_holds_on_every_host_and_is_shown_nowhere(tmp_path: Path) -> None:
    """Environments with one secret still have different keys."""
    secret = SecretStr("a secret of this test")
    one, other = (Settings.read(home=tmp_path / name, secret_key=secret) for name in "ab")
    assert ServerSecret(one).key("uploads") == ServerSecret(other).key("uploads")
    prod = Settings.read(home=tmp_path, secret_key=secret, environment="prod", redis_url="redis://127.0.0.1:1")
    assert ServerSecret(prod).key("uploads") != ServerSecret(one).key("uploads")
    assert "of this test" not in repr(one)
    with pytest.raises(SettingsError) as refused:
        Settings.read(secret_key="too short")
    assert "too short" not in str(refused.value)


def test_a_token_has_a_url_that_no_other_token_has(tmp_path: Path) -> None:
    """Knowing the id of a token is not enough to complete it by its URL."""
    settings = Settings.read(home=tmp_path, public_url="https://tasks.example.com/")
    links = TokenLinks(settings, ServerSecret(settings))
    url = links.url("token_00ab") or ""
    assert url.startswith("https://tasks.example.com/api/v1/waitpoints/tokens/waitpoint_00ab/callback/")
    digest = url.rpartition("/")[2]
    assert links.is_hash("token_00ab", digest)
    assert not links.is_hash("token_00ac", digest)
    assert not links.is_hash("token_00ab", "\ud800")
    assert engine_token_id(wire_token_id("token_00ab")) == engine_token_id("token_00ab") == "token_00ab"
    claims = read_token(
        links.access_token("token_00ab"), ServerSecret(settings).key("public-tokens"), "env_dev", datetime.now(UTC)
    )
    assert claims.scopes == ("write:waitpoints:waitpoint_00ab",)
