"""``taskflow users``: adds, lists and removes the people who sign in to the dashboard."""

import secrets
from typing import Annotated

import typer

from taskflow.cli.application import App, load_without_tasks
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.definition.calls.users import check_password, check_role
from taskflow.errors import SettingsError

app = typer.Typer(help="Add, list and remove the users of the dashboard.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to sign in with.")]
Password = Annotated[
    str | None, typer.Option(help="8 characters or more; - reads it from the input. Default: a random one.")
]


@app.command("add", epilog="Example: taskflow users add ana --role operator")
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, operator (acts, too) or admin (users and keys, too).")] = "viewer",
    password: Password = None,
    app: App = None,
) -> None:
    """Add a user, and print the password if it is a random one: it is shown only now."""
    users, chosen = load_without_tasks(app).engine.users, check_role(role)
    given, shown = _password(password)
    users.add(name, chosen, _hashed(given))
    show(f"{name} may sign in as {chosen}")
    if shown:
        print(given)


@app.command("list", epilog="Example: taskflow users list --json")
def list_(app: App = None, as_json: AsJson = False) -> None:
    """List the users by name."""
    users = load_without_tasks(app).engine.users.list()
    if as_json:
        print_json([{"name": user.name, "role": user.role, "created_at": user.created_at} for user in users])
        return
    if not users:
        show("No users yet. Add one: taskflow users add NAME --role admin")
        return
    table = make_table("NAME", "ROLE", "AGE")
    for user in users:
        add_row(table, user.name, user.role, age(user.created_at))
    show_table(table)


@app.command("remove", epilog="Example: taskflow users remove ana")
def remove(name: Name, app: App = None) -> None:
    """Remove a user, whose sessions end."""
    load_without_tasks(app).engine.users.remove(name)
    show(f"{name} is removed")


@app.command("password", epilog="Example: taskflow users password ana")
def password(name: Name, password: Password = None, app: App = None) -> None:
    """Give a user another password, and print it if it is a random one. Sessions of the user end."""
    users = load_without_tasks(app).engine.users
    given, shown = _password(password)
    users.change_password(name, _hashed(given))
    show(f"{name} has another password")
    if shown:
        print(given)


def _password(given: str | None) -> tuple[str, bool]:
    """Return the password, and whether it is a random one, to be shown."""
    if given is None:
        return secrets.token_urlsafe(12), True
    return check_password(typer.get_text_stream("stdin").readline().rstrip("\r\n") if given == "-" else given), False


def _hashed(password: str) -> str:
    try:
        from taskflow.server.dashboard.sign_in.passwords import hash_password
    except ImportError:
        raise SettingsError("Users need more packages: pip install 'celery-taskflow[server]'") from None
    return hash_password(password)
