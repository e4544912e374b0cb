"""``taskflow runs stream`` and ``send``: prints the items of an output stream, sends an item to an input stream."""

import json
import sys
from typing import Annotated

import typer

from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.printing import show, visible_json
from taskflow.cli.run_ids import whole_id
from taskflow.definition.documents.stream_items import StreamItems
from taskflow.errors import StreamError
from taskflow.seams.streams import StreamAddress

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or the beginning of it.")]
Name = Annotated[str, typer.Argument(metavar="STREAM", help="The stream's name.")]


def stream(
    run_id: RunId,
    name: Name,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print items as they come, until the run ends.")
    ] = False,
    start: Annotated[int, typer.Option(min=0, help="Index of the first item.")] = 0,
    app: App = None,
) -> None:
    """Print the items of a run's output stream, one JSON document a line."""
    flow = reach_without_tasks(app)
    address = StreamAddress(whole_id(flow, run_id), "stream", name)
    for document in flow.engine.streams.read(address, start, follow=follow):
        print(visible_json(document.decode()), flush=True)


def send(
    run_id: RunId,
    name: Name,
    item: Annotated[str, typer.Argument(metavar="JSON", help="The item, or - to read it from standard input.")],
    app: App = None,
) -> None:
    """Send an item to one of a run's input streams. Its type is checked when the run reads it."""
    flow = reach_without_tasks(app)
    run_id = whole_id(flow, run_id)
    document = StreamItems(name, None).dump(_parsed(name, sys.stdin.read() if item == "-" else item))
    count = flow.engine.streams.append(StreamAddress(run_id, "input", name), [document])
    show(f"{run_id} was told item {count - 1} of {name}")


def _parsed(name: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        remedy = """Quote it for the shell: '{"yes": true}' or '"text"'."""
        raise StreamError(name, f"takes JSON, and the item is none ({error})", remedy) from None
