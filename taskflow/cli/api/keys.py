"""``taskflow keys``: makes, lists and revokes the API keys of an environment."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from taskflow.cli.application import App, load_without_tasks
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table

app = typer.Typer(help="Make, list and revoke the API keys of this environment.", no_args_is_help=True)


@app.command("create", epilog="Example: taskflow keys create shop-backend --expires 90d")
def create(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="For people: who has the key.")] = "key",
    app: App = None,
    expires: Annotated[str | None, typer.Option(help="Valid for: 30d, 12h. Default: until it is revoked.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may read, and change nothing.")] = False,
    rate_limit: Annotated[
        str | None, typer.Option(metavar="N/PERIOD", help="Requests: 100/s, 1000/m. Default: the server's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is shown only now, because the store has a hash of it."""
    engine = load_without_tasks(app).engine.api_keys
    key_id, key = engine.create(name, expires=expires, is_read_only=read_only, rate_limit=rate_limit)
    print_json({"id": key_id, "key": key}) if as_json else print(key)


@app.command("list", epilog="Example: taskflow keys list --json")
def list_(app: App = None, as_json: AsJson = False) -> None:
    """List the keys, oldest first, with their last use."""
    keys = load_without_tasks(app).engine.api_keys.list()
    if as_json:
        print_json([asdict(key) for key in keys])
        return
    if not keys:
        show("No keys yet. Make one: taskflow keys create NAME")
        return
    table = make_table("ID", "NAME", "KEY", "AGE", "LAST USED", "RIGHTS", "RATE", "EXPIRES")
    for key in keys:
        used = f"{age(key.last_used_at)} ago" if key.last_used_at else "never"
        rights = "read" if key.is_read_only else "all"
        rate = key.rate_limit or "the server's"
        add_row(table, key.id, key.name, key.shown, age(key.created_at), used, rights, rate, _end(key.expires_at))
    show_table(table)


@app.command("revoke", epilog="Example: taskflow keys revoke key_0123456789abcdef")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")], app: App = None) -> None:
    """Revoke a key: requests with it are refused from now on."""
    load_without_tasks(app).engine.api_keys.revoke(key_id)
    show(f"{key_id} is revoked")


def _end(expires: datetime | None) -> str:
    if expires is None:
        return "never"
    return "expired" if expires <= datetime.now(UTC) else f"{expires:%Y-%m-%d %H:%M} UTC"
