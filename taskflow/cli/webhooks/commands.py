"""``taskflow webhooks``: addresses of webhook tasks, their deliveries, and deliveries that are made by hand."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from taskflow.cli.application import App, reach, reach_without_tasks
from taskflow.cli.output import AsJson, age, print_json, time_and_age
from taskflow.cli.printing import add_row, facts_table, make_table, show, show_table, visible_json
from taskflow.cli.webhooks.sending import send
from taskflow.definition.webhooks.deliveries import Delivery, WebhookEndpoint
from taskflow.verbs.webhooks import webhooks

app = typer.Typer(help="Webhooks: addresses, deliveries, replays, and deliveries by hand.", no_args_is_help=True)
app.command("send", epilog="Example: taskflow webhooks send stripe-events event.json --as stripe")(send)
DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")]
_ID_WIDTH = 42


@app.command("list", epilog="Example: taskflow webhooks list --json")
def list_(app: App = None, as_json: AsJson = False) -> None:
    """List the webhook tasks with their sources and addresses."""
    reach(app)
    endpoints = webhooks.endpoints()
    if as_json:
        print_json([asdict(endpoint) for endpoint in endpoints])
    elif endpoints:
        show_table(_endpoints_table(endpoints))
    else:
        show("No webhook tasks. Declare one: @webhooks.task(source=webhooks.GitHub(secret=...)).")


@app.command("deliveries", epilog="Example: taskflow webhooks deliveries --task stripe-events --status FILTERED")
def deliveries(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most how many.")] = 20,
    app: App = None,
    task: Annotated[str | None, typer.Option(help="Deliveries to this task.")] = None,
    status: Annotated[str | None, typer.Option(help="ACCEPTED or FILTERED.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Go on behind the page that printed it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest first."""
    reach_without_tasks(app)
    page = webhooks.deliveries.list(task=task, status=status and status.upper(), limit=limit, cursor=cursor)
    if as_json:
        print_json({"deliveries": [asdict(each) for each in page], "cursor": page.cursor})
        return
    show_table(_deliveries_table(page)) if page else show("No such deliveries.")
    if page.cursor:
        show(f"more: --cursor {page.cursor}", style="dim")


@app.command("show", epilog="Example: taskflow webhooks show delivery_00... --json")
def show_(delivery_id: DeliveryId, app: App = None, as_json: AsJson = False) -> None:
    """Show one delivery: its headers without what proves the sender, its body and its runs."""
    reach_without_tasks(app)
    delivery = webhooks.deliveries.retrieve(delivery_id)
    if as_json:
        print_json(asdict(delivery))
        return
    show_table(_facts(delivery))
    if delivery.body is not None:
        show(f"\n{visible_json(delivery.body)}")


@app.command("replay", epilog="Example: taskflow webhooks replay delivery_00...")
def replay(delivery_id: DeliveryId, app: App = None, as_json: AsJson = False) -> None:
    """Make another run of a delivery, and print the run's id."""
    reach(app)
    handle = webhooks.deliveries.replay(delivery_id)
    print_json({"delivery": delivery_id, "run": handle.id}) if as_json else show(handle.id)


def _endpoints_table(endpoints: Sequence[WebhookEndpoint]) -> Table:
    table = make_table("TASK", "SOURCE", "PATH", "EVENTS", "SECRETS")
    for each in endpoints:
        usable = {None: "cannot be read", 0: "none: refuses all"}.get(each.secrets, str(each.secrets))
        add_row(table, each.task, each.source, each.url or each.path, ", ".join(each.events) or "all", usable)
    return table


def _deliveries_table(page: Sequence[Delivery]) -> Table:
    table = make_table("DELIVERY", "TASK", "STATUS", "EVENT", "AGE", "RUN")
    for column in table.columns:
        column.no_wrap = True
    table.columns[0].min_width = _ID_WIDTH
    for each in page:
        run = each.run_id or "-"
        add_row(table, each.id, each.task_id, each.status.value, each.event_type or "-", age(each.received_at), run)
    return table


def _facts(delivery: Delivery) -> Table:
    table = facts_table()
    facts = {
        "task": f"{delivery.task_id} ({delivery.source})",
        "status": delivery.status.value,
        "event": delivery.event_type or "-",
        "sender's id": delivery.delivery_id,
        "received": time_and_age(delivery.received_at),
        "run": delivery.run_id or "-",
        "replays": ", ".join(delivery.replays) or "-",
        "duplicates": str(delivery.duplicates),
        "size": f"{delivery.size:,} bytes, SHA-256 {delivery.digest}",
    }
    for name, value in (*facts.items(), *delivery.headers.items()):
        add_row(table, name, value)
    return table
