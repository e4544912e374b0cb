"""``taskflow server``: serves the HTTP API and the dashboard of one environment."""

import importlib.util
import logging
from typing import Annotated

import typer

from taskflow.app import TaskFlow
from taskflow.cli.application import App, app_module, load, load_without_tasks
from taskflow.cli.printing import show
from taskflow.errors import SettingsError, TaskflowError


def server(
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at; 0 for any free one.")] = 8787,
    app: App = None,
    loglevel: Annotated[str, typer.Option(help="Log level.")] = "INFO",
) -> None:
    """Serve the HTTP API and the dashboard, until SIGTERM or Ctrl-C. Callers need a key: see `taskflow keys create`."""
    if any(
        importlib.util.find_spec(name) is None
        for name in ("starlette", "uvicorn", "uvloop", "httptools", "jinja2", "argon2")
    ):
        raise SettingsError("The server needs more packages: pip install 'celery-taskflow[server]'")
    check_level(loglevel)
    from taskflow.server.app import create_app
    from taskflow.server.serving import make_server

    logging.basicConfig(level=loglevel.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    flow = flow_of(app)
    name = f"[{host}]" if ":" in host else host

    def listening(at: int) -> None:
        show(f"taskflow server of the environment {flow.settings.environment!r} at http://{name}:{at}")

    _show_first_password(flow)
    try:
        make_server(create_app(flow), host, port, listening).run()
    except SystemExit:  # uvicorn has logged the reason
        what = f"The server cannot listen at {host}:{port}; the log line before this one has the reason."
        raise SettingsError(f"{what} Choose another --port, or stop the process that listens there.") from None
    finally:
        flow.close()


def _show_first_password(flow: TaskFlow) -> None:
    from taskflow.server.dashboard.sign_in.first_user import FIRST, make_first_user

    try:
        password = make_first_user(flow)
    except TaskflowError as error:
        show(f"The dashboard has no first user yet, because the store did not answer: {error}")
        return
    if password:
        show(f"Sign in to the dashboard as {FIRST} with the password {password} (shown only now)")


def check_level(level: str) -> None:
    """Refuse a log level that does not exist.

    Raises:
        SettingsError: There is none.
    """
    names = logging.getLevelNamesMapping()
    if level.upper() not in names:
        raise SettingsError(f"There is no log level {level!r}. Use one of {', '.join(names)}.")


def flow_of(named: str | None) -> TaskFlow:
    """Return the app with its tasks, or without when none are known: workers decide about their payloads then."""
    try:
        app_module(named)
    except SettingsError:
        return load_without_tasks(named)
    return load(named)
