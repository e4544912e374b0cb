"""The URLs of the result backend ``taskflow://``."""

import pytest

from taskflow.celery_backend import settings_of
from taskflow.errors import SettingsError


@pytest.mark.parametrize(
    "url, store, environment",
    [
        ("taskflow://", "redis://by-setting:6379/1", "staging"),
        ("taskflow://?environment=prod", "redis://by-setting:6379/1", "prod"),
        ("redis://named:6379/0", "redis://named:6379/0", "staging"),
        ("rediss://:p%40@h/0?ssl_cert_reqs=none&environment=prod", "rediss://:p%40@h/0?ssl_cert_reqs=none", "prod"),
        ("unix:///run/store.sock?db=1&environment=prod", "unix:///run/store.sock?db=1", "prod"),
    ],
)  # fmt: skip
def test_a_url_names_the_store_or_leaves_it_to_the_settings(
    monkeypatch: pytest.MonkeyPatch, url: str, store: str, environment: str
) -> None:
    monkeypatch.setenv("TASKFLOW_REDIS_URL", "redis://by-setting:6379/1")
    monkeypatch.setenv("TASKFLOW_ENVIRONMENT", "staging")
    settings = settings_of(url)
    assert (settings.redis_url, settings.environment, settings.tasks) == (store, environment, ())


@pytest.mark.parametrize("url", ["taskflow://host:6379/0", "taskflow:///0", "taskflow://?db=1", "http://host/0"])
def test_another_form_is_refused_with_the_right_one(url: str) -> None:
    """``taskflow://host`` looks like the address of a store, and is none."""
    with pytest.raises(SettingsError, match="redis://host:6379/0"):
        settings_of(url)
