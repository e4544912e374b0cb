"""Settings come from the environment, as text."""

from datetime import timedelta

import pytest

from taskflow import Settings, SettingsError


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


def test_modules_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """``TASKFLOW_TASKS=shop.tasks, shop.mail``."""
    monkeypatch.setenv("TASKFLOW_TASKS", "shop.tasks, shop.mail,")
    assert Settings.read().tasks == ("shop.tasks", "shop.mail")
