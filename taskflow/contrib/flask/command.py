"""``flask taskflow ...``: the command ``taskflow`` for the app that ``flask --app`` names."""

import os
from importlib import import_module
from typing import Any

import click
from flask.cli import ScriptInfo


@click.command(
    "taskflow",
    short_help="Workers, runs, queues, the dashboard: taskflow's own command.",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def taskflow_command(context: click.Context, words: tuple[str, ...]) -> None:
    """Run taskflow's command. Workers load the app that this command has loaded."""
    info = context.find_object(ScriptInfo)
    if info is not None and info.create_app is None:
        os.environ["TASKFLOW_FLASK_APP"] = info.app_import_path or ""  # "": the file that Flask has found by itself
    command: Any = import_module("taskflow.cli.main")  # it stands above this package, and a site seldom needs it
    command.main(list(words), "flask taskflow")
