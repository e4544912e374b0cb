"""``taskflow mcp``: lets an assistant read tasks, runs, logs and errors, and with leave act on them."""

import contextlib
import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from taskflow.app import TaskFlow
from taskflow.cli.api.client_config import http_config, stdio_config
from taskflow.cli.api.server import check_level, flow_of
from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.output import print_json
from taskflow.cli.printing import show
from taskflow.engine.caller import caller
from taskflow.errors import SettingsError
from taskflow.seams.engine import Application
from taskflow.settings import Settings

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def mcp(
    write: Annotated[
        bool, typer.Option("--write", help="Offer the tools that trigger, replay and cancel. Default: read only.")
    ] = False,
    http: Annotated[
        bool, typer.Option("--http", help="Serve over HTTP, with keys. Default: stdin and stdout.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at; 0 for any free one.")] = 8788,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Name by which clients call it; may repeat. Default: loopback.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="The project's folder. Default: the working folder.", exists=True, file_okay=False),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the configuration for an MCP client, and exit.")
    ] = False,
    app: App = None,
    loglevel: Annotated[str, typer.Option(help="Log level.")] = "INFO",
) -> None:
    """Serve tools for an assistant (Model Context Protocol): tasks, runs, logs, errors; with --write also actions."""
    check_level(loglevel)
    if folder is not None:
        _enter(folder)
    names = _names(host, allowed_host or ())
    if print_config:
        print_json(http_config(names[0], port) if http else stdio_config(Path.cwd(), app, may_write=write))
        return
    if importlib.util.find_spec("mcp") is None:
        raise SettingsError("`taskflow mcp` needs more packages: pip install 'celery-taskflow[mcp]'")
    logging.basicConfig(level=loglevel.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if loglevel.upper() != "DEBUG":
        logging.getLogger("mcp").setLevel(logging.WARNING)  # the SDK has two lines a request
    if http:
        _serve_http(app, host, port, names, may_write=write)
    else:
        _serve_stdio(app, may_write=write)


def _enter(folder: Path) -> None:
    os.chdir(folder)
    sys.path.insert(0, os.getcwd())


def _names(host: str, given: "list[str] | tuple[()]") -> list[str]:
    if given or host in _LOOPBACK:
        return list(given) or ["127.0.0.1", "localhost", "[::1]"]
    raise SettingsError(
        f"With --host {host} others can reach the server, which then must know the name by which they call it: give "
        "--allowed-host tasks.example.com. Keys travel in each request: put a proxy with TLS before it."
    )


def _serve_stdio(app: str | None, *, may_write: bool) -> None:
    from taskflow.definition.documents.hiding import Hiding
    from taskflow.mcp_server.session import Session
    from taskflow.mcp_server.stdio import serve_stdio

    with contextlib.redirect_stdout(sys.stderr):  # stdout is the protocol's; modules of tasks may print
        application = _application(app, may_write=may_write)
    settings = Settings.read(tasks=())
    try:
        serve_stdio(Session(application, Hiding.of(settings.redact), may_write=may_write, origin=f"mcp {caller()}"))
    finally:
        application.close()


def _application(app: str | None, *, may_write: bool) -> Application:
    """Return the project's app, or the client of TASKFLOW_API_URL.

    Raises:
        SettingsError: The client's key may only read, and writing was asked for.
    """
    if app is not None or not Settings.read(tasks=()).api_url:
        return flow_of(app)
    from taskflow.http_client.application import ServerClient

    client = reach_without_tasks(app)
    if may_write and isinstance(client, ServerClient) and client.engine.server().is_read_only:
        raise SettingsError("TASKFLOW_API_KEY may only read: leave --write out, or set a key that may write.")
    return client


def _serve_http(app: str | None, host: str, port: int, names: list[str], *, may_write: bool) -> None:
    if any(importlib.util.find_spec(name) is None for name in ("uvloop", "httptools")):
        raise SettingsError("`taskflow mcp --http` needs more packages: pip install 'celery-taskflow[mcp,server]'")
    from taskflow.server.mcp.app import PATH, create_mcp_app
    from taskflow.server.serving import ListeningServer, config_of

    flow: TaskFlow = flow_of(app)
    shown = f"[{host}]" if ":" in host else host

    def listening(at: int) -> None:
        what = "reads and writes" if may_write else "reads"
        show(f"taskflow mcp {what} the environment {flow.settings.environment!r} at http://{shown}:{at}{PATH}")

    config = config_of(create_mcp_app(flow, may_write=may_write, names=names), flow.settings, host, port, "on")
    try:
        ListeningServer(config, listening).run()
    except SystemExit:  # uvicorn has logged the reason
        what = f"The server cannot listen at {host}:{port}; the log line before this one has the reason."
        raise SettingsError(f"{what} Choose another --port, or stop the process that listens there.") from None
    finally:
        flow.close()
