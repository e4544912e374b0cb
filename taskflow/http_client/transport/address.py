"""The server's address and what every request carries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from taskflow.http_client.transport.api_request import ApiRequest
from taskflow.seams.error_documents import CLIENT_HEADER


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server, and the key to one of its environments.

    Attributes:
        connect_seconds: How long a connection may take.
    """

    url: str
    key: str = field(repr=False)
    connect_seconds: float = 5.0

    def of(self, request: "ApiRequest[object]") -> str:
        """Return where a request goes."""
        return f"{self.url}{request.path}"

    def headers(self, request: "ApiRequest[object]") -> Mapping[str, str]:
        """Return the headers of a request."""
        headers = {**_FIXED, "authorization": f"Bearer {self.key}", **request.headers}
        if request.body is not None:
            headers["content-type"] = request.content_type
        if request.is_write:
            headers["x-trigger-request-idempotency-key"] = request.key
        return headers


_VERSION: Final = version("celery-taskflow")
_FIXED: Final = {
    CLIENT_HEADER: _VERSION,
    "user-agent": f"celery-taskflow/{_VERSION}",
    "accept": "application/json",
    "x-trigger-source": "sdk",
    "x-trigger-api-version": "2025-07-16",
}
