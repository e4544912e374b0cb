"""The ticket as a message: Celery's protocol 2, made by Celery's and kombu's own code, without the empty headers.

A ticket carries a run id and a reservation number. The payload stays in the store; ``argsrepr`` is text for Flower.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from celery import Celery
from kombu.utils.json import dumps

from taskflow.broker.queues import EXCHANGE_NAME

TICKET_HEADER: Final = "taskflow"
CONTENT_TYPE: Final = "application/json"
CONTENT_ENCODING: Final = "utf-8"
BODY: Final = "[[],{},{}]"
"""Arguments, keyword arguments and no callbacks: the same for every ticket."""

_EMPTY: Final[tuple[object, ...]] = (None, "", {}, [None, None])
_NOT_NEEDED: Final = ("origin", "replaced_task_nesting")
# Numbers and JSON texts have no quotes in the template, which is therefore not valid JSON until it is filled in.
_UNQUOTED: Final = ("@RESERVATION@", "@ARGS@")


@dataclass(slots=True)
class ReceivedTicket:
    """The content of a ticket's headers."""

    run_id: str
    reservation: int


def ticket_headers(
    celery: Celery, *, run_id: str, task_id: str, reservation: int | str, argsrepr: str, trace: str = ""
) -> dict[str, object]:
    """Return the headers of a ticket: those that Celery makes, without the empty ones.

    ``trace``: the run's trace headers as JSON. The message has them as headers, and again in one named ``headers``,
    because tracers read either. A worker, its tracer and Flower treat a missing header as an empty one. The last header
    makes the message a ticket::

        {"lang": "py", "task": "hello-world", "id": "run_1", "root_id": "run_1", "retries": 0, "ignore_result": true,
         "argsrepr": "{\\"message\\": \\"hi\\"}", "kwargsrepr": "{}", "taskflow": {"reservation": 1}}
    """
    message = celery.amqp.as_task_v2(
        run_id, task_id, argsrepr=argsrepr, kwargsrepr="{}", ignore_result=True, origin=TICKET_HEADER
    )
    headers: dict[str, object] = {name: value for name, value in message.headers.items() if value not in _EMPTY}
    for name in _NOT_NEEDED:
        headers.pop(name, None)
    headers["argsrepr"] = argsrepr
    if trace:
        given: dict[str, object] = json.loads(trace)
        headers |= {**given, "headers": given}
    headers[TICKET_HEADER] = {"reservation": reservation}
    return headers


def ticket_template(celery: Celery, task_id: str) -> str:
    """Return the message that kombu's Redis transport would push for a ticket of this task, with tokens to replace.

    ``@RUN@``: the run id. ``@RESERVATION@``: the reservation, a number. ``@QUEUE@``: the Celery queue. ``@TAG@``: the
    delivery tag, which must be unique. ``@ARGS@``: the arguments that Flower shows, a JSON string with its quotes.
    ``@RUN@``, ``@QUEUE@`` and ``@TAG@`` are within quotes, and are replaced by characters that need no escaping.
    """
    message = {
        "body": BODY,
        "content-encoding": CONTENT_ENCODING,
        "content-type": CONTENT_TYPE,
        "headers": ticket_headers(
            celery, run_id="@RUN@", task_id=task_id, reservation="@RESERVATION@", argsrepr="@ARGS@"
        ),
        "properties": {
            "correlation_id": "@RUN@",
            "delivery_info": {"exchange": EXCHANGE_NAME, "routing_key": "@QUEUE@"},
            "delivery_tag": "@TAG@",
        },
    }
    template = dumps(message, separators=(",", ":"))
    for token in _UNQUOTED:
        template = template.replace(f'"{token}"', token)
    return template


def _is_storable(text: str) -> bool:
    """Whether UTF-8 can hold the text: a lone surrogate can come out of JSON."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def ticket_from_headers(headers: Mapping[str, object] | None) -> ReceivedTicket | None:
    """Return the ticket in a message's headers, None for a message that a plain Celery producer sent."""
    mark = headers.get(TICKET_HEADER) if headers else None
    if headers is None or not isinstance(mark, dict):
        return None
    run_id, reservation = headers.get("id"), cast("dict[str, object]", mark).get("reservation")
    if not isinstance(run_id, str) or not isinstance(reservation, int) or not _is_storable(run_id):
        return None
    return ReceivedTicket(run_id, reservation)
