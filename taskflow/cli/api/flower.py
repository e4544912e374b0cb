"""``taskflow flower``: Flower with safe defaults, and a tab of the runs in the store."""

from typing import TYPE_CHECKING, Annotated

import typer

from taskflow.app import TaskFlow
from taskflow.cli.api.server import flow_of
from taskflow.cli.application import App
from taskflow.cli.printing import show

if TYPE_CHECKING:
    from taskflow.flower_tab.serving import Started


def flower(
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Further options of Flower, after `--`: --max_tasks=1000 --read_only", show_default=False),
    ] = None,
    app: App = None,
    address: Annotated[
        str | None, typer.Option(help="Address to listen at. Default: FLOWER_ADDRESS, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen at; 0 for any free one. Default: FLOWER_PORT, else 5555."),
    ] = None,
    url_prefix: Annotated[
        str | None, typer.Option(help="Path below which Flower is served. Default: FLOWER_URL_PREFIX.")
    ] = None,
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="Serve /metrics without credentials, for a Prometheus.")
    ] = False,
) -> None:
    """Watch Celery's workers in Flower, with the runs of the store beside them. Until SIGTERM or Ctrl-C.

    Every page and the API need credentials: those of FLOWER_BASIC_AUTH=name:password, or a password that is made at the
    first start.
    """
    from taskflow.flower_tab.options import check_words
    from taskflow.flower_tab.serving import PreparedFlower

    check_words(options or ())
    given = {"address": address, "port": port, "url_prefix": url_prefix}
    flow = flow_of(app)
    try:
        prepared = PreparedFlower(
            flow,
            {name: value for name, value in given.items() if value is not None},
            options or (),
            has_open_metrics=open_metrics,
        )
        prepared.serve(lambda started: _show(flow, started))
    finally:
        flow.close()


def _show(flow: TaskFlow, started: "Started") -> None:
    show(f"Flower of the environment {flow.settings.environment!r} at {started.address}")
    if password := started.password:
        how = (
            f"the password {password.text} (shown only now; it is kept in {password.file})"
            if password.is_new
            else f"the password in {password.file}"
        )
        show(f"Sign in as admin with {how}")
    if not started.links.base:
        show("Runs have no links to the dashboard: set TASKFLOW_DASHBOARD_URL to its address.")
    if started.is_local and not flow.settings.flower_url:
        show(f"The dashboard links to Flower when its server has TASKFLOW_FLOWER_URL={started.address.rstrip('/')}")
