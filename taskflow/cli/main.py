"""The command's root: joins the sub-commands and turns taskflow's errors into one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Final

import typer

from taskflow.cli import adopt, batch, doctor, queues, runs, store, tokens, trigger, worker, workers
from taskflow.cli.api import flower, keys, mcp, server, users
from taskflow.cli.dev import command as dev
from taskflow.cli.errors import commands as errors
from taskflow.cli.init.command import init
from taskflow.cli.printing import prepare_streams, show_error
from taskflow.cli.schedules import commands as schedules
from taskflow.cli.webhooks import commands as webhooks
from taskflow.contrib.sites import enter_site
from taskflow.errors import TaskflowError

app = typer.Typer(
    name="taskflow",
    help="Run typed tasks on Celery: limits, retries and crashes handled.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.command("init", epilog="Example: taskflow init shop --kind django")(init)
app.command("dev", epilog="Example: taskflow dev --open")(dev.dev)
app.command("worker", epilog="Example: taskflow worker --machine small-1x --machine large-1x")(worker.worker)
app.command("trigger", epilog="""Example: taskflow trigger hello-world '{"message": "hi"}' --wait""")(trigger.trigger)
app.command("doctor", epilog="Example: taskflow doctor --json")(doctor.doctor)
app.command("server", epilog="Example: taskflow server --host 127.0.0.1 --port 8787")(server.server)
app.command("mcp", epilog="Example: taskflow mcp --print-config")(mcp.mcp)
app.command("flower", epilog="Example: taskflow flower --port 5555 -- --max_tasks=1000 --read_only")(flower.flower)
app.add_typer(runs.app, name="runs")
app.add_typer(batch.app, name="batch")
app.add_typer(queues.app, name="queues")
app.add_typer(errors.app, name="errors")
app.add_typer(schedules.app, name="schedules")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(workers.app, name="workers")
app.add_typer(tokens.app, name="tokens")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(store.app, name="store")
app.add_typer(adopt.app, name="adopt")


_WITHOUT_SITE: Final = {"dev", "init"}
"""Commands that import nothing of the project, so that they work where it can't be imported."""


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"taskflow {version('celery-taskflow')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run typed tasks on Celery: limits, retries and crashes handled."""
    if "--help" not in sys.argv and context.invoked_subcommand not in _WITHOUT_SITE:
        enter_site()


def main(words: Sequence[str] | None = None, name: str | None = None) -> None:
    """Run the command. Task modules are imported from the working directory too, as by Celery's own command.

    Args:
        words: Default: those of the command line.
        name: The command's name in its help.
    """
    prepare_streams()
    sys.path.insert(0, os.getcwd())
    try:
        app(words, prog_name=name)
    except TaskflowError as error:
        show_error(str(error))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
