"""The fields of a POST, within a limit and a deadline, and the check that it came from a page of this server."""

import asyncio
import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect, Request

from taskflow.server.dashboard.refusals import PageProblem
from taskflow.settings import Settings

_MOST_FIELDS: Final = 5000
Form = ImmutableMultiDict[str, str]


async def read_form(request: Request, settings: Settings) -> Form:
    """Return the fields of a form.

    Raises:
        PageProblem: 413 when the body is too large, 408 when it does not come in time, 400 when it is not a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise PageProblem(415, "That is not a form", "The request has another content type.", "Send it from a page.")
    try:
        async with asyncio.timeout(settings.server_body_timeout.total_seconds()):
            body = await _read(request, settings.server_body_limit)
    except TimeoutError:
        raise PageProblem(408, "The form did not arrive", "Its body did not come in time.", "Send it again.") from None
    except ClientDisconnect:
        raise PageProblem(400, "The form did not arrive", "The connection ended before.", "Send it again.") from None
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise PageProblem(400, "That is not a form", "Its fields can't be read.", "Send it from a page.") from None
    return Form(fields)


async def _read(request: Request, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise PageProblem(
                413,
                "The form is too large",
                f"It has more than {most:,} bytes. Nothing has changed.",
                "Send less, or raise TASKFLOW_SERVER_BODY_LIMIT.",
            )
        chunks.append(chunk)
    return b"".join(chunks)


def csrf_token(secret: str) -> str:
    """Return the token that the forms of a session carry."""
    return hashlib.sha256(f"csrf:{secret}".encode()).hexdigest()[:32]


def check_csrf(form: Form, token: str) -> None:
    """Refuse a form that does not carry the token of its session.

    Raises:
        PageProblem: 403.
    """
    if not hmac.compare_digest(form.get("csrf", "").encode(), token.encode()):
        raise _foreign("The form belongs to another session.")


def check_origin(request: Request, settings: Settings) -> None:
    """Refuse a POST that another site's page sent.

    A browser that says itself where a form comes from is believed, because a proxy may have changed the host. Of others
    the origin is compared with the host, and with ``public_url``.

    Raises:
        PageProblem: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or _is_own(origin, request.headers.get("host", ""), settings.public_url)
    if not is_own:
        raise _foreign("The form was sent by a page of another site.")


def _is_own(origin: str, host: str, public_url: str | None) -> bool:
    try:
        sent, public = urlsplit(origin.lower()), urlsplit((public_url or "").lower())
    except ValueError:  # it is no URL
        return False
    usual = {"https": ":443", "http": ":80"}.get(sent.scheme, ":")
    hosts = {each.removesuffix(usual) for each in (host.lower(), public.netloc) if each}
    return sent.netloc.removesuffix(usual) in hosts


def _foreign(why: str) -> PageProblem:
    return PageProblem(403, "Nothing has changed", why, "Load the page again, and repeat it there.")
