"""The options of Flower, from its variables, its configuration file and the command line, with safe defaults.

A later source wins over an earlier one: defaults, FLOWER_* variables, flowerconfig.py, options of the command.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Final

from flower import command
from flower.urls import settings as web_settings
from tornado.options import Error as OptionError
from tornado.options import OptionParser, options

from taskflow.errors import SettingsError
from taskflow.suggestions import near_miss

ADDRESS: Final = "127.0.0.1"
_OPEN_API: Final = "FLOWER_UNAUTHENTICATED_API"
_OFF: Final = ("", "0", "false", "f", "no", "n", "off")
_SECRET: Final = ("basic_auth", "cookie_secret", "oauth2_secret")
"""Options that nobody may give as an argument: every user of the host can read the arguments of a process."""
_OWN: Final = ("address", "port", "url_prefix")


def read_options(given: Mapping[str, object], words: Sequence[str]) -> tuple[OptionParser, dict[str, object]]:
    """Return Flower's options, and the settings of its web application.

    Args:
        given: Values of the command's own options, without those that were left out.
        words: Further options of Flower, such as ``--max_tasks=1000``, after ``check_words``.

    Raises:
        SettingsError: An option has no valid value, or the configuration file fails.
    """
    options.address = ADDRESS
    try:
        command.apply_env_options()
    except ValueError as error:
        names = ", ".join(sorted(name for name in os.environ if command.is_flower_envvar(name)))
        raise SettingsError(f"One of the variables {names} has a value that Flower cannot read: {error}.") from None
    _apply([*(f"--{name}={value}" for name, value in given.items()), *words])
    return options, _web_settings()


def check_words(words: Sequence[str]) -> None:
    """Check options of Flower before anything is started.

    Raises:
        SettingsError: One is unknown or would show a secret, or the API would be open.
    """
    if os.environ.get(_OPEN_API, "").strip().lower() not in _OFF:
        raise SettingsError(
            f"{_OPEN_API} is set, and `taskflow flower` has no API without credentials: with one, every web page that "
            "a user of this host opens could start tasks. Unset it; scripts send the credentials (HTTP basic auth)."
        )
    for word in words:
        _check_word(word)


def _check_word(word: str) -> None:
    name, _, value = word.partition("=")
    if not word.startswith("-"):
        raise SettingsError(
            f"Flower has no argument {word!r}. Write its options with their values, for example --max_tasks=1000."
        )
    name = name.lstrip("-").replace("-", "_")
    if name in _SECRET or (name == "broker_api" and "@" in value):
        raise SettingsError(
            f"--{name} is not taken from the command line, which every user of this host can read. Set "
            f"FLOWER_{name.upper()} in the environment, or {name} in flowerconfig.py."
        )
    if name in _OWN:
        raise SettingsError(f"--{name} is the command's own option --{name.replace('_', '-')}: write that before `--`.")
    if name not in options:
        near = near_miss(name, [str(each).replace("-", "_") for each in options.as_dict()])
        hint = f"Did you mean --{near}?" if near else "`taskflow flower -- --help` lists them."
        raise SettingsError(f"Flower has no option --{name}. {hint}")


def _apply(words: list[str]) -> None:
    try:
        command.apply_options("taskflow flower", words)
    except (OptionError, ValueError) as error:
        raise SettingsError(f"Flower cannot read its options: {error}.") from None
    except FileNotFoundError as error:
        raise SettingsError(
            f"The configuration file of Flower, {error.filename}, does not exist. See --conf."
        ) from None
    except Exception as error:
        kind = type(error).__name__
        raise SettingsError(f"The configuration file {options.conf} of Flower raised {kind}: {error}.") from error


def _web_settings() -> dict[str, object]:
    try:
        command.extract_settings()
    except SystemExit:  # Flower has logged the reason
        raise SettingsError("Flower refuses its options; the log line before this one has the reason.") from None
    command.setup_logging()
    return web_settings
