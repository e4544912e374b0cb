"""``taskflow webhooks send``: a delivery that is made by hand, signed with the task's own secret."""

import contextlib
import json
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from taskflow.cli.application import App, load
from taskflow.cli.output import AsJson, print_json
from taskflow.cli.printing import show, show_error
from taskflow.definition.webhooks.composing import Sending, compose, source_named
from taskflow.definition.webhooks.declaration import WebhookDeclaration
from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.errors import DefinitionError, WebhookVerificationError

LOCAL: Final = "http://127.0.0.1:8787"
_TIMEOUT: Final = 30


def send(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The webhook task.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body, or - to read it from standard input.")],
    app: App = None,
    sender: Annotated[str | None, typer.Option("--as", help="Sign as this source. Default: the task's own.")] = None,
    url: Annotated[str, typer.Option(help="Address of the server.")] = LOCAL,
    event: Annotated[str, typer.Option(help="Type of the event, where a header has it.")] = "",
    delivery_id: Annotated[str | None, typer.Option("--id", help="The sender's id. Default: a new one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a delivery to the server, signed with the task's secret, and print the answer."""
    _check_address(url)
    flow = load(app)
    definition = flow.registry.get(task)
    webhook = definition.webhook
    if webhook is None:
        raise DefinitionError(f"Task {task!r} takes no webhooks", remedy="Declare it with @webhooks.task.")
    [path] = [each.path for each in flow.engine.webhooks.endpoints() if each.task == task]
    secrets = flow.engine.webhooks.secrets_of(definition)
    signed_url = f"{flow.settings.public_url or url.rstrip('/')}{path}"
    sending = Sending(_read(file), event, delivery_id)
    try:
        request = _composed(webhook, sender, secrets, signed_url, sending)
    except WebhookVerificationError:
        raise _cannot_sign(task) from None
    query = request.url.removeprefix(signed_url)
    status, headers = _post(f"{url.rstrip('/')}{path}{query}", request)
    answer = {name: headers.get(f"x-taskflow-{name}") for name in ("status", "delivery", "run")}
    if as_json:
        print_json({"http_status": status, **answer})
    else:
        show(str(status), *(f"{name} {value}" for name, value in answer.items() if value))
    if status >= 300:
        raise typer.Exit(1)


def _composed(
    webhook: WebhookDeclaration, sender: str | None, secrets: tuple[str, ...], url: str, sending: Sending
) -> WebhookRequest:
    return compose(source_named(sender, webhook.source), secrets, url, sending, time.time())


def _cannot_sign(task: str) -> DefinitionError:
    remedy = "It signs with the task's secret: give it the variable that the server has, or TASKFLOW_WEBHOOK_SECRETS."
    return DefinitionError(f"This command cannot sign for task {task!r}: no usable secret is set here", remedy=remedy)


def _check_address(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise DefinitionError("That is not an address", option="url", value=url, remedy=f"Write it as in {LOCAL}.")


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise DefinitionError("The body cannot be read", option="file", value=file, remedy=f"{error}.") from None


def _post(url: str, request: WebhookRequest) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of the answer. A redirect is an answer: nothing follows it."""
    headers = {name.decode(): value.decode() for name, value in request.headers}
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        with contextlib.closing(connect(parts.netloc, timeout=_TIMEOUT)) as connection:
            connection.request("POST", f"{parts.path}?{parts.query}".rstrip("?"), request.body, headers)
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
    except (OSError, HTTPException, ValueError) as error:
        what = f"No server answers at {parts.scheme}://{parts.netloc} ({error})"
        raise DefinitionError(what, remedy="Start one with `taskflow server`, or name it with --url.") from None
    if answer.status >= 300:
        show_error(_refusal(answer.status, body) or answer.reason)
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def _refusal(status: int, body: str) -> str:
    """Return the text of a refusal. The server tells no sender why it was not verified, so it names the log."""
    try:
        text = " ".join(str(part) for part in map(json.loads(body).get, ("error", "remedy")) if part)
    except (ValueError, AttributeError):
        return body
    return f"{text} The server's log has the reason." if status == HTTPStatus.UNAUTHORIZED else text
