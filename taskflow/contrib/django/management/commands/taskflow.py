"""``manage.py taskflow worker``, ``runs``, ``doctor``, ``server`` and so on: the command ``taskflow`` in a site."""

import os
import sys
from argparse import REMAINDER
from importlib import import_module
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from taskflow import TaskflowError

_COMMAND: Final = "taskflow.cli.main"
"""Imported by its name, because the command itself stands above this room."""
_OF_DJANGO: Final = ("--settings", "--pythonpath")


class Command(BaseCommand):
    """Hands its words to the command ``taskflow``. Options of Django's commands stand before the first word."""

    help = "Run a command of taskflow in this site: worker, runs, doctor, server and others."
    requires_system_checks = ()  # `taskflow worker` starts nodes, which check the site themselves

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command with the words of the command line, those that look like options of Django's too."""
        folder = os.path.dirname(os.path.abspath(argv[0]))  # the nodes of a worker find the site's modules there
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH", "")]))
        self._call(_words(argv[2:]), f"{argv[0]} {argv[1]}")

    def add_arguments(self, parser: CommandParser) -> None:
        """Take any words, for ``call_command("taskflow", "runs", "list")``."""
        parser.add_argument("words", nargs=REMAINDER)

    def handle(self, *words: str, **options: Any) -> None:
        """Run the command with words."""
        self._call([*words, *options["words"]], "taskflow")

    def _call(self, words: list[str], name: str) -> None:
        command: Any = import_module(_COMMAND)
        try:
            status = command.app(args=words, prog_name=name, standalone_mode=True)
        except TaskflowError as error:
            self.stderr.write(f"Error: {error}")
            raise SystemExit(1) from None
        if status:
            sys.exit(status)


def _words(given: list[str]) -> list[str]:
    """Return the words without ``--settings`` and ``--pythonpath``, which Django has used already."""
    words, skip = list[str](), False
    for word in given:
        if skip:
            skip = False
        elif word in _OF_DJANGO:
            skip = True
        elif not word.startswith(tuple(f"{option}=" for option in _OF_DJANGO)):
            words.append(word)
    return words
