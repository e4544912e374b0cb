"""``taskflow dev``: store, workers, server and reload in one terminal."""

import importlib.util
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer
from rich.text import Text

from taskflow.cli.application import App
from taskflow.cli.printing import console, show_note
from taskflow.dev.listener import listen
from taskflow.dev.messages import Loaded
from taskflow.dev.only_one import only_one
from taskflow.dev.orders import WorkersOrder
from taskflow.dev.session import Session
from taskflow.dev.terminal import Terminal
from taskflow.dev.watching import can_watch
from taskflow.embedded import stop_store, store_status
from taskflow.errors import TaskflowError
from taskflow.project import find_project
from taskflow.settings import Settings

_WORKERS: Final = "taskflow.cli.dev.workers_program"
_SERVER: Final = "taskflow.cli.dev.server_program"
_INSTALL: Final = "pip install 'celery-taskflow[server]'"
_OF_SERVER: Final = ("starlette", "uvicorn", "uvloop", "httptools", "jinja2", "argon2")


def dev(
    app: App = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Port of the dashboard. Default: the first free one from 8787."),
    ] = None,
    server: Annotated[bool, typer.Option("--server/--no-server", help="Whether the dashboard is served.")] = True,
    reload: Annotated[bool, typer.Option("--reload/--no-reload", help="Whether edits are taken.")] = True,
    open_: Annotated[bool, typer.Option("--open", help="Open the dashboard in the browser.")] = False,
    machine: Annotated[
        list[str] | None, typer.Option(help="Machine class to serve; may repeat. Default: those that tasks use.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time in each node. Default: what fits this host.")
    ] = None,
    watch: Annotated[
        list[Path] | None, typer.Option(help="A further folder whose Python files are watched; may repeat.")
    ] = None,
    loglevel: Annotated[str, typer.Option(help="Log level of the nodes.")] = "INFO",
) -> None:
    """Run everything for development: store, workers, dashboard, reload at edits, one log. Ctrl-C ends it all."""
    began = time.time()
    terminal = Terminal(_write)
    with only_one(Settings.read(tasks=()).home):
        terminal.show(f"taskflow dev {version('celery-taskflow')}. Ctrl-C ends it.", style="bold")
        session = Session(
            _WORKERS,
            WorkersOrder(app=app, machines=machine or [], concurrency=concurrency, loglevel=loglevel),
            terminal,
            watched=_watched(reload, watch or [], terminal),
            opens_browser=open_,
        )
        if server and _has_server(terminal):
            session.serve_with(_SERVER, app, listen(port))
        code = session.run()
        if session.loaded is not None:
            _stop_store(session.loaded, began, terminal)
    if code:
        raise typer.Exit(code)


def _watched(is_wanted: bool, more: list[Path], terminal: Terminal) -> list[Path]:
    if not is_wanted:
        return []
    if not can_watch():
        terminal.warn(f"Edits are not taken, because watchfiles is not installed: {_INSTALL}")
        return []
    return [find_project(Path.cwd()).folder, *(folder.absolute() for folder in more)]


def _has_server(terminal: Terminal) -> bool:
    if all(importlib.util.find_spec(name) for name in _OF_SERVER):
        return True
    terminal.warn(f"The dashboard is not served, because it needs more packages: {_INSTALL}")
    return False


def _stop_store(loaded: Loaded, began: float, terminal: Terminal) -> None:
    """Stop the embedded store, if it was started since and nobody else uses it."""
    home = Path(loaded.home)
    try:
        status = store_status(home) if loaded.is_embedded else None
        if status is None or psutil.Process(status.pid).create_time() < began - 1:
            return
        if status.clients:
            terminal.show(f"The store goes on, because others use it ({status.clients} connections).", style="dim")
        elif stop_store(home):
            terminal.show("Everything has ended, the store too. Its data stays.", style="dim")
    except (TaskflowError, psutil.Error) as error:
        show_note(f"The store was not stopped: {error}")


def _write(line: Text) -> None:
    console.print(line, soft_wrap=True)
