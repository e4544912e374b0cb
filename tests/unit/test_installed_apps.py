"""The edit of a Django site's INSTALLED_APPS: proved, or not made."""

import pytest

from taskflow.cli.init.installed_apps import installed_apps, with_entry


@pytest.mark.parametrize(
    "before, after",
    [
        ('INSTALLED_APPS = [\n    "a",\n    "b",  # b\n]\n', '    "b",  # b\n    "taskflow.contrib.django",\n]\n'),
        ("INSTALLED_APPS: list[str] = ['a']\n", "['a', \"taskflow.contrib.django\"]\n"),
        ('INSTALLED_APPS = [\r\n\t"a",\r\n]\r\nX = 1\r\n', '\t"taskflow.contrib.django",\r\n]\r\nX = 1\r\n'),
        ('INSTALLED_APPS = [\n  *BASE,\n  "größe", "b",\n  # more\n]\n', '  # more\n  "taskflow.contrib.django",\n]\n'),
        ('INSTALLED_APPS = ["größe"]\n', '"größe", "taskflow.contrib.django"]\n'),
    ],
)
def test_the_entry_is_added_at_the_end(before: str, after: str) -> None:
    """In the list's own form, with its own line endings. Everything else stays, byte for byte."""
    edited = with_entry(before.encode())
    assert edited is not None
    assert edited.decode().endswith(after)
    assert len(edited.splitlines()) - len(before.encode().splitlines()) in (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        'INSTALLED_APPS = [\n    "a",\n    "b"\n]\n',  # without its last comma, two texts would be one
        'INSTALLED_APPS = ["a",]\n',
        'INSTALLED_APPS = ["a"] + MORE\n',
        'INSTALLED_APPS = ("a",)\n',
        'INSTALLED_APPS = ["a"]\nINSTALLED_APPS += ["b"]\n',
        'if DEBUG:\n    INSTALLED_APPS = ["a"]\n',
        "from base import *\n",
        "INSTALLED_APPS = []\n",
        "INSTALLED_APPS = [\n",
    ],
)
def test_what_cannot_be_proved_is_not_edited(text: str) -> None:
    """The owner gets the line instead."""
    assert with_entry(text.encode()) is None


def test_the_entries_are_the_texts_of_the_list() -> None:
    """Others are not known without running the module."""
    assert installed_apps(b'INSTALLED_APPS = ["a", *MORE, "b.apps.BConfig"]\n') == ["a", "b.apps.BConfig"]
    assert installed_apps(b"INSTALLED_APPS = apps()\n") == []
