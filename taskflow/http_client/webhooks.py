"""Endpoints of webhook tasks and deliveries over HTTP."""

from collections.abc import Sequence
from typing import Any

from taskflow.definition.webhooks.deliveries import Delivery, DeliveryPage, WebhookEndpoint
from taskflow.errors import DeliveryNotFoundError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, id_segment, post
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.seams.record_documents import record_of
from taskflow.seams.webhooks import DeliveryQuery


class HttpWebhooks:
    """Endpoints, and deliveries by id."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def endpoints(self) -> Sequence[WebhookEndpoint]:
        """Return the endpoint of each webhook task that the server's code declares."""
        return self._connection.send(_endpoints())

    def retrieve(self, delivery_id: str) -> Delivery:
        """Return a delivery."""
        return self._connection.send(_retrieve(delivery_id))

    async def aretrieve(self, delivery_id: str) -> Delivery:
        """Return a delivery."""
        return await self._aconnection.send(_retrieve(delivery_id))

    def list(self, query: DeliveryQuery) -> DeliveryPage:
        """Return a page of deliveries, newest first."""
        return self._connection.send(_list(query))

    async def alist(self, query: DeliveryQuery) -> DeliveryPage:
        """Return a page of deliveries, newest first."""
        return await self._aconnection.send(_list(query))

    def replay(self, delivery_id: str) -> str:
        """Make a run of a delivery again and return its id."""
        return self._connection.send(_replay(delivery_id))

    async def areplay(self, delivery_id: str) -> str:
        """Make a run of a delivery again and return its id."""
        return await self._aconnection.send(_replay(delivery_id))


def _endpoints() -> ApiRequest[Sequence[WebhookEndpoint]]:
    def read(document: Any) -> Sequence[WebhookEndpoint]:
        return [record_of(WebhookEndpoint, each) for each in document["endpoints"]]

    return get(f"{PREFIX}/webhooks", read)


def _retrieve(delivery_id: str) -> ApiRequest[Delivery]:
    return get(f"{PREFIX}/deliveries/{id_segment(delivery_id, DeliveryNotFoundError)}", _delivery)


def _list(query: DeliveryQuery) -> ApiRequest[DeliveryPage]:
    def read(document: Any) -> DeliveryPage:
        return DeliveryPage(tuple(map(_delivery, document["deliveries"])), document["cursor"])

    limit = str(query.limit)
    path = f"{PREFIX}/deliveries"
    return get(path, read, task=query.task_id, status=query.status, limit=limit, cursor=query.cursor)


def _replay(delivery_id: str) -> ApiRequest[str]:
    path = f"{PREFIX}/deliveries/{id_segment(delivery_id, DeliveryNotFoundError)}/replay"
    return post(path, lambda document: str(document["id"]))


def _delivery(document: Any) -> Delivery:
    return record_of(Delivery, document)
