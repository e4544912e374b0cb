"""``taskflow store``: shows and stops the embedded store of this project. Needs no tasks and starts nothing."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from taskflow.broker.urls import without_password
from taskflow.cli.output import AsJson, print_json, span
from taskflow.cli.printing import add_row, facts_table, show, show_table
from taskflow.embedded import StoreStatus, stop_store, store_status
from taskflow.settings import Settings

app = typer.Typer(help="Look at the embedded store of this project, and stop it.", no_args_is_help=True)


@app.command("status", epilog="Example: taskflow store status --json")
def status(as_json: AsJson = False) -> None:
    """Show whether the embedded store runs, where, and who uses it."""
    settings = Settings.read()
    running = store_status(settings.home)
    if as_json:
        print_json(_plain(settings, running))
        return
    facts = facts_table()
    add_row(facts, "home", str(settings.home))
    add_row(facts, "embedded store", _described(running))
    if settings.redis_url:
        address = without_password(settings.redis_url)
        add_row(facts, "in use", f"{address}, as TASKFLOW_REDIS_URL says: the embedded store is not used")
    show_table(facts)


@app.command("stop", epilog="Example: taskflow store stop")
def stop(as_json: AsJson = False) -> None:
    """Stop the embedded store. Its data stays, and the next process that needs the store starts it again."""
    home = Settings.read().home
    stopped = stop_store(home)
    if as_json:
        print_json({"home": str(home), "stopped": stopped})
    else:
        done = f"The embedded store of {home} is stopped." if stopped else f"No embedded store runs in {home}."
        show(done)


def _described(running: StoreStatus | None) -> str:
    if running is None:
        return "does not run"
    since = span(timedelta(seconds=running.uptime_s))
    return (
        f"runs since {since} as process {running.pid}: Valkey {running.version}, {running.clients} clients, "
        f"{running.memory_bytes / 1e6:.1f} MB of memory, {running.disk_bytes / 1e6:.1f} MB on disk"
    )


def _plain(settings: Settings, running: StoreStatus | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "home": str(settings.home),
        "is_used": not settings.redis_url,
        "is_running": running is not None,
    }
    if running is None:
        return facts
    since = datetime.now(UTC) - timedelta(seconds=running.uptime_s)
    return facts | asdict(running) | {"since": since}
