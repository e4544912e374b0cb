"""Webhook tasks and their deliveries for the Python client."""

import asyncio
from typing import Annotated, Final

from pydantic import BaseModel, Field
from starlette.responses import Response

from taskflow.definition.webhooks.deliveries import DeliveryStatus
from taskflow.errors import DeliveryNotFoundError
from taskflow.seams.record_documents import record_document
from taskflow.seams.webhooks import DeliveryQuery
from taskflow.server.api.records.documents import answer, answer_record, id_of
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.api.tasks import repeat_key
from taskflow.server.call import Call
from taskflow.server.route import ApiRoute
from taskflow.texts import is_encodable


class ListQuery(BaseModel):
    """A page of deliveries."""

    task: str | None = None
    status: DeliveryStatus | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 20
    cursor: str | None = None


async def endpoints(call: Call) -> Response:
    """Return the endpoints of the webhook tasks that the server's code declares."""
    found = await asyncio.to_thread(call.engine.webhooks.endpoints)  # it reads secrets, which is code of the user's
    return answer(endpoints=[record_document(endpoint) for endpoint in found])


async def list_(call: Call) -> Response:
    """Return a page of deliveries."""
    query = call.query(ListQuery)
    wanted = DeliveryQuery(query.task, query.status, query.limit, query.cursor)
    page = await call.engine.webhooks.alist(wanted)
    return answer(deliveries=[record_document(delivery) for delivery in page], cursor=page.cursor)


async def retrieve(call: Call) -> Response:
    """Return a delivery."""
    return answer_record(record_document(await call.engine.webhooks.aretrieve(_id(call))))


async def replay(call: Call) -> Response:
    """Make a run of a delivery again."""
    run_id = await call.engine.webhooks.areplay(_id(call), seed=repeat_key(call, f"replay {_id(call)}"))
    call.note_run(run_id)
    return answer(id=run_id)


def _id(call: Call) -> str:
    delivery_id = id_of(call, "delivery_id")
    if not is_encodable(delivery_id):
        raise DeliveryNotFoundError(delivery_id)
    return delivery_id


_ONE: Final = f"{PREFIX}/deliveries/{{delivery_id}}"
ROUTES: Final = (
    ApiRoute("GET", f"{PREFIX}/webhooks", endpoints, "Return the endpoints of webhook tasks.", is_hidden=True),
    ApiRoute("GET", f"{PREFIX}/deliveries", list_, "Return a page of deliveries.", query=ListQuery, is_hidden=True),
    ApiRoute("GET", _ONE, retrieve, "Return a delivery.", is_hidden=True),
    ApiRoute("POST", f"{_ONE}/replay", replay, "Make a run of a delivery again.", is_hidden=True),
)
