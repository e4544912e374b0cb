"""``taskflow tokens``: makes, completes and shows the tokens that runs wait for."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.output import AsJson, age, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.definition.calls.tokens import Token, TokenStatus
from taskflow.errors import TokenDataError
from taskflow.verbs.wait import wait

app = typer.Typer(help="Complete the tokens that runs wait for, and see which are open.", no_args_is_help=True)
TokenId = Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id.")]
_ID_WIDTH = 40
_COLORS = {TokenStatus.WAITING: "blue", TokenStatus.COMPLETED: "green", TokenStatus.TIMED_OUT: "red"}


@app.command("create", epilog="Example: taskflow tokens create --timeout 1d --tag order-42")
def create(
    app: App = None,
    timeout: Annotated[str | None, typer.Option(help="Time out after: 30s, 5m, 1h30m. Default: never.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may repeat.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Two calls with one key get one token.")] = None,
    idempotency_key_ttl: Annotated[str | None, typer.Option(help="For how long: 30s, 5m, 1h30m.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print its id."""
    reach_without_tasks(app)
    made = wait.create_token(
        timeout=timeout, tags=tag or [], idempotency_key=idempotency_key, idempotency_key_ttl=idempotency_key_ttl
    )
    print_json({"id": made.id, "is_cached": made.is_cached}) if as_json else show(made.id)


@app.command("complete", epilog="""Example: taskflow tokens complete token_00... '{"approved": true}'""")
def complete(
    token_id: TokenId,
    data: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="The token's output, or - to read it from standard input.")
    ] = None,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Complete a token, so that the runs that wait for it go on. Only the first completion counts."""
    reach_without_tasks(app)
    is_first = wait.complete_token(token_id, _parsed(token_id, data))
    if as_json:
        print_json({"id": token_id, "completed": is_first})
    else:
        outcome = "is completed" if is_first else "was done before: nothing was changed"
        show(f"{token_id} {outcome}")


@app.command("get", epilog="Example: taskflow tokens get token_00... --json")
def get(token_id: TokenId, app: App = None, as_json: AsJson = False) -> None:
    """Show one token: its status, the time of its timeout, and its output."""
    reach_without_tasks(app)
    token = wait.retrieve_token(token_id)
    if as_json:
        print_json(asdict(token))
        return
    show_table(_table([token]))
    if token.status is TokenStatus.COMPLETED:
        show(f"\n{json.dumps(token.output, indent=2, ensure_ascii=False)}")


@app.command("list", epilog="Example: taskflow tokens list --status WAITING --tag order-42")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most how many.")] = 20,
    app: App = None,
    status: Annotated[str | None, typer.Option(help="WAITING, COMPLETED or TIMED_OUT.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tokens with this tag; may repeat.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Go on behind the page that printed it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tokens, the newest first."""
    reach_without_tasks(app)
    page = wait.list_tokens(
        status=None if status is None else status.upper().replace("-", "_"), tags=tag or [], limit=limit, cursor=cursor
    )
    if as_json:
        print_json({"tokens": [asdict(token) for token in page], "cursor": page.cursor})
        return
    show_table(_table(page)) if page else show("No such tokens.")
    if page.cursor:
        show(f"more: --cursor {page.cursor}", style="dim")


def _parsed(token_id: str, data: str | None) -> object:
    if data is None:
        return None
    try:
        return json.loads(sys.stdin.read() if data == "-" else data)
    except (ValueError, RecursionError) as error:
        raise TokenDataError(
            token_id, f"it is not JSON ({error}). Quote it for the shell: '{{\"approved\": true}}' or '\"text\"'."
        ) from None


def _table(tokens: Sequence[Token]) -> Table:
    table = make_table("TOKEN", "STATUS", "AGE", "TIMES OUT", "KEY", "TAGS")
    for column in table.columns:
        column.no_wrap = True
    table.columns[0].min_width = _ID_WIDTH
    for token in tokens:
        timeout = f"{token.timeout_at:%Y-%m-%d %H:%M:%S} UTC" if token.timeout_at else "-"
        status = Text(token.status.value, _COLORS[token.status])
        add_row(
            table, token.id, status, age(token.created_at), timeout, token.idempotency_key or "-", ", ".join(token.tags)
        )
    return table
