"""Groups of errors, which the HTTP API does not have: every call is refused with the way to reach them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from taskflow.errors import NotOverHttpError
from taskflow.http_client.transport.connection import Connection
from taskflow.seams.error_groups import ErrorGroup, ErrorState


class HttpErrors:
    """Refuses. The dashboard of the server shows the groups."""

    def __init__(self, connection: Connection) -> None:
        self._url = connection.address.url

    def list(self, since: datetime, until: datetime) -> Sequence[ErrorGroup]:
        """Refuse."""
        self._refuse("list")

    async def alist(self, since: datetime, until: datetime) -> Sequence[ErrorGroup]:
        """Refuse."""
        self._refuse("alist")

    def retrieve(self, group_id: str, since: datetime, until: datetime) -> ErrorGroup:
        """Refuse."""
        self._refuse("retrieve")

    async def aretrieve(self, group_id: str, since: datetime, until: datetime) -> ErrorGroup:
        """Refuse."""
        self._refuse("aretrieve")

    def change(self, group_id: str, state: ErrorState, resolved_in: str | None = None, reason: str = "") -> None:
        """Refuse."""
        self._refuse(str(state))

    async def achange(self, group_id: str, state: ErrorState, resolved_in: str | None = None, reason: str = "") -> None:
        """Refuse."""
        self._refuse(str(state))

    def _refuse(self, verb: str) -> NoReturn:
        raise NotOverHttpError(f"error_groups.{verb}", self._url)
