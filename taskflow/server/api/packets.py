"""Uploads of large payloads: the client asks for a URL, uploads to it, and names the path in its trigger."""

import hmac
import time
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from taskflow.engine.serving.packets import Packet
from taskflow.server.api.superjson import STORED, TYPES, PackedValueError, unpack, unpack_stored
from taskflow.server.api.wire import Wire
from taskflow.server.bodies import read_body
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import OPEN, ApiRoute
from taskflow.server.state import ServerState

_LIFE_SECONDS: Final = 3600
_LONGEST_PATH: Final = 500


class UploadAnswer(Wire):
    """A URL that takes one upload within an hour, and the path that triggers name."""

    presigned_url: str
    storage_path: str


async def presign(call: Call) -> UploadAnswer:
    """Return the URL of an upload."""
    path = call.path("path")
    if len(path) > _LONGEST_PATH:
        raise Problem(422, "invalid_path", f"The path has more than {_LONGEST_PATH} characters.", "Send a shorter one.")
    expires = int(time.time()) + _LIFE_SECONDS
    base = call.flow.settings.public_url or str(call.request.base_url).rstrip("/")
    url = f"{base}/packets/{expires}/{_signature(call.server, expires, path)}/{quote(path)}"
    return UploadAnswer(presigned_url=url, storage_path=path)


async def upload(call: Call) -> Response:
    """Take an upload. The signature of its URL stands for a key."""
    path, given = call.path("path"), call.path("expires")
    expires = int(given) if given.isascii() and given.isdigit() and len(given) < 15 else 0
    expected = _signature(call.server, expires, path)
    if not hmac.compare_digest(expected.encode(), call.path("signature").encode(errors="replace")):
        raise Problem(403, "invalid_signature", "The signature of this URL is not valid.", "Ask for a new URL.")
    if time.time() >= expires:
        raise Problem(403, "url_expired", "This URL has expired.", "Ask for a new URL.")
    content_type = call.request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type not in TYPES or content_type == STORED:
        raise Problem(415, "unsupported_type", "The content type is not that of a packed value.", should_retry=False)
    content = await read_body(call.request, call.server)
    if not await call.engine.packets.akeep(path, Packet(content, content_type)):
        error = "This URL has taken another upload already."
        raise Problem(422, "already_uploaded", error, "Ask for a new URL for each upload.")
    return Response(status_code=200)


async def payload_of(call: Call, packed: object, packed_type: str | None) -> object:
    """Return a payload as a plain JSON value, from its upload if it names one.

    Raises:
        Problem: 400: it is not what its type says. 422: there is no such upload (any more).
    """
    try:
        if packed_type != STORED:
            return unpack(packed, packed_type)
        packet = await call.engine.packets.aread(packed) if isinstance(packed, str) else None
        if packet is None:
            error = "The payload names no upload, or one that is too old."
            raise Problem(422, "packet_not_found", error, "Upload it again: PUT /api/v2/packets/<path>.")
        return unpack_stored(packet.content.decode(), packet.content_type)
    except (PackedValueError, UnicodeDecodeError) as wrong:
        reason = wrong if isinstance(wrong, PackedValueError) else "it is not UTF-8"
        raise Problem(400, "invalid_body", f"The payload can't be read: {reason}.") from None


def _signature(server: ServerState, expires: int, path: str) -> str:
    key = server.flow.server_secret.key("uploads")
    return hmac.new(key, f"{expires}:{path}".encode(errors="replace"), "sha256").hexdigest()


ROUTES: Final = (
    ApiRoute("PUT", "/api/v2/packets/{path:path}", presign, "Ask for the URL of an upload.", answer=UploadAnswer),
    ApiRoute(
        "PUT",
        "/packets/{expires}/{signature}/{path:path}",
        upload,
        "Upload a large payload.",
        OPEN,
        body_type="application/octet-stream",
        statuses=(403, 404, 415, 422),
        is_hidden=True,
    ),
)
