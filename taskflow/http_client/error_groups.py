"""Groups of errors over HTTP. Their ids are parameters, as callers give them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from taskflow.errors import ErrorGroupNotFoundError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, post
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.seams.error_groups import ErrorGroup, ErrorState
from taskflow.seams.record_documents import record_of
from taskflow.texts import is_possible_id


class HttpErrors:
    """Groups by id."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def list(self, since: datetime, until: datetime) -> Sequence[ErrorGroup]:
        """Return the groups that failed in a period, the newest failure first."""
        return self._connection.send(_list(since, until))

    async def alist(self, since: datetime, until: datetime) -> Sequence[ErrorGroup]:
        """Return the groups that failed in a period, the newest failure first."""
        return await self._aconnection.send(_list(since, until))

    def retrieve(self, group_id: str, since: datetime, until: datetime) -> ErrorGroup:
        """Return one group with its counts of a period."""
        return self._connection.send(_retrieve(group_id, since, until))

    async def aretrieve(self, group_id: str, since: datetime, until: datetime) -> ErrorGroup:
        """Return one group with its counts of a period."""
        return await self._aconnection.send(_retrieve(group_id, since, until))

    def change(self, group_id: str, state: ErrorState, resolved_in: str | None = None, reason: str = "") -> None:
        """Open, mute or resolve a group."""
        self._connection.send(_change(group_id, state, resolved_in, reason))

    async def achange(self, group_id: str, state: ErrorState, resolved_in: str | None = None, reason: str = "") -> None:
        """Open, mute or resolve a group."""
        await self._aconnection.send(_change(group_id, state, resolved_in, reason))


def _list(since: datetime, until: datetime) -> ApiRequest[Sequence[ErrorGroup]]:
    return get(f"{PREFIX}/errors", lambda document: [_group(each) for each in document["errors"]], **_in(since, until))


def _retrieve(group_id: str, since: datetime, until: datetime) -> ApiRequest[ErrorGroup]:
    return get(f"{PREFIX}/error", _group, id=_checked(group_id), **_in(since, until))


def _change(group_id: str, state: ErrorState, resolved_in: str | None, reason: str) -> ApiRequest[None]:
    body = {"id": _checked(group_id), "state": state.value, "resolved_in": resolved_in, "reason": reason}
    return post(f"{PREFIX}/error/change", lambda _: None, body)


def _in(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": since.isoformat(), "until": until.isoformat()}


def _checked(group_id: str) -> str:
    if not group_id or not is_possible_id(group_id):
        raise ErrorGroupNotFoundError(group_id)
    return group_id


def _group(document: Any) -> ErrorGroup:
    return record_of(ErrorGroup, document)
