"""Settings come from the environment, as text."""

from datetime import timedelta
from pathlib import Path

import pytest

from taskflow import Settings, SettingsError
from taskflow.history.database import Database, database_url


@pytest.mark.parametrize("text", ["1.5", "PT1.5S"])
def test_durations_are_seconds_or_iso_8601(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """An environment variable is text; a number in it means seconds."""
    monkeypatch.setenv("TASKFLOW_HEARTBEAT", text)
    assert Settings.read().heartbeat == timedelta(seconds=1.5)


def test_a_wrong_setting_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once, so that one start shows everything."""
    monkeypatch.setenv("TASKFLOW_LEASE", "soon")
    monkeypatch.setenv("TASKFLOW_SHARDS", "0")
    with pytest.raises(SettingsError, match=r"TASKFLOW_SHARDS.*'0'") as raised:
        Settings.read()
    assert "TASKFLOW_LEASE" in str(raised.value)


def test_a_lease_shorter_than_two_heartbeats_is_refused() -> None:
    """One lost packet would take a node's runs away."""
    with pytest.raises(SettingsError, match="at least two heartbeats"):
        Settings.read(lease=3, heartbeat=2)


def test_replicas_of_the_embedded_store_are_refused() -> None:
    """It has none: every trigger would fail."""
    with pytest.raises(SettingsError, match="embedded store has no replicas"):
        Settings.read(store_replicas=1)
    with pytest.raises(SettingsError, match="embedded store has no replicas"):
        Settings.read(store_replicas=1, redis_url="")
    assert Settings.read(store_replicas=1, redis_url="redis://store").store_replicas == 1


def test_modules_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """``TASKFLOW_TASKS=shop.tasks, shop.mail``."""
    monkeypatch.setenv("TASKFLOW_TASKS", "shop.tasks, shop.mail,")
    assert Settings.read().tasks == ("shop.tasks", "shop.mail")


@pytest.mark.parametrize(
    "url",
    ["mysql://me:hunter2@host/db", "postgresql://me:hunter2@host:port/db", "hunter2", "postgresql://me:hun/ter2@h/d"],
)
def test_a_wrong_database_is_refused_without_showing_its_password(url: str) -> None:
    """Messages end in logs."""
    with pytest.raises(SettingsError, match="TASKFLOW_DATABASE_URL") as raised:
        Settings.read(database_url=url)
    assert "hun" not in str(raised.value)


def test_the_history_is_in_home_unless_told_otherwise(tmp_path: Path) -> None:
    """``postgres://``, as many hosts write it, is PostgreSQL through psycopg 3."""
    assert str(database_url(Settings.read(home=tmp_path))) == f"sqlite:///{tmp_path}/history.db"
    assert database_url(Settings.read(database_url="none")) is None
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        url = database_url(Settings.read(database_url=f"{scheme}://me:secret@host/runs?sslmode=require"))
        assert url is not None
        assert url.drivername == "postgresql+psycopg"
        assert Database(url).address == "postgresql+psycopg://me:***@host/runs"
    with pytest.raises(SettingsError, match="in memory"):
        Settings.read(database_url="sqlite://")


@pytest.mark.parametrize("value", ["redis", "taskflow://", "//me:secret@host/0", "me:secret"])
def test_a_wrong_result_backend_of_producers_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(SettingsError, match="CELERY_RESULT_BACKEND") as refused:
        Settings.read(celery_result_backend=value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["", "rpc", "rpc://"])
def test_producers_that_are_answered_by_their_messages_need_no_setting(value: str) -> None:
    assert Settings.read(celery_result_backend=value).celery_result_backend is None


@pytest.mark.parametrize("address", ["flower.shop.test", "ftp://flower.shop.test", "http://", "http://x/?a=b"])
def test_the_address_of_flower_is_one_that_a_browser_opens(address: str, tmp_path: Path) -> None:
    """Pages link to it."""
    with pytest.raises(SettingsError, match=r"flower_url|FLOWER_URL"):
        Settings.read(home=tmp_path, flower_url=address)
