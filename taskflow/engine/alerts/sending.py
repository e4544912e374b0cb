"""Send one alert: to a webhook, signed as Standard Webhooks says, or by e-mail. Blocking.

A step takes 10 s at most, a webhook 30 s in all: a receiver that sends a byte now and then would hold up all alerts.
"""

import base64
import hashlib
import hmac
import smtplib
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPMessage, HTTPResponse
from typing import IO, Any, Final, Self
from urllib.parse import unquote, urlsplit

from taskflow.seams.alerts import Alert, AlertChannel, AlertRule

_SECONDS: Final = 10
_MOST_SECONDS: Final = 30
_LONGEST_ANSWER: Final = 300
_SUBMISSION: Final = 587
_TLS: Final = 465
_PLAIN: Final = "Write smtps:// if it has TLS from the start, or smtp+plain:// if it may be read on the way."


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes e-mail, as ``TASKFLOW_SMTP_URL`` names it; "" for none."""

    url: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a receiver: whether it has taken the alert, and its words."""

    is_taken: bool
    text: str


def send_alert(rule: AlertRule, alert: Alert, mail: MailServer) -> Answer:
    """Send an alert. What goes wrong is in the answer."""
    try:
        if rule.channel is AlertChannel.WEBHOOK:
            return _post(rule, alert)
        return _mail(rule, alert, mail)
    except Exception as error:  # noqa: BLE001 - a receiver may answer anything, and must not keep others from theirs
        return Answer(False, f"{type(error).__name__}: {error}"[:_LONGEST_ANSWER])


def signature_headers(secret: str, alert_id: str, body: bytes, at: int) -> dict[str, str]:
    """Return the headers of a signed body (https://www.standardwebhooks.com)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{alert_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": alert_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the signed body goes to the address of the rule only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Refuse it."""


class _Watch:
    """Cuts the connection of a request whose answer does not begin in time."""

    def __init__(self) -> None:
        self._connection: HTTPConnection | None = None
        self._timer = threading.Timer(_MOST_SECONDS, self._cut)

    def made(self, kind: Callable[..., HTTPConnection]) -> Callable[..., HTTPConnection]:
        """Return a maker of connections that are watched."""

        def make(host: str, **options: object) -> HTTPConnection:
            self._connection = kind(host, **options)
            return self._connection

        return make

    def __enter__(self) -> Self:
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        held: socket.socket | None = getattr(self._connection, "sock", None)
        if held is not None:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> HTTPResponse:
        """Open a connection that is watched."""
        return super().do_open(self._watch.made(http_class), req, **options)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> HTTPResponse:
        """Open a connection that is watched."""
        return super().do_open(self._watch.made(http_class), req, **options)


def _post(rule: AlertRule, alert: Alert) -> Answer:
    body = alert.body.encode()
    headers = {"content-type": "application/json", "user-agent": "taskflow-alerts"}
    headers |= signature_headers(rule.secret, alert.id, body, int(time.time()))
    request = urllib.request.Request(rule.address, body, headers, method="POST")
    end = time.monotonic() + _MOST_SECONDS
    with _Watch() as watch:
        opener = urllib.request.build_opener(_NoRedirect, _Http(watch), _Https(watch))
        try:
            with opener.open(request, timeout=_SECONDS) as reply:
                status, text = reply.status, _beginning(reply, end)
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, _beginning(error, end)
    told = " ".join(text.decode(errors="replace").split())
    return Answer(200 <= status < 300, f"{status} {told}".strip()[:_LONGEST_ANSWER])


def _beginning(reply: HTTPResponse | urllib.error.HTTPError, end: float) -> bytes:
    """Return the beginning of an answer, as far as it comes in time."""
    text = b""
    while len(text) < _LONGEST_ANSWER and time.monotonic() < end:
        part = reply.read1(_LONGEST_ANSWER - len(text))
        if not part:
            break
        text += part
    return text


def _mail(rule: AlertRule, alert: Alert, mail: MailServer) -> Answer:
    if not mail.url or not mail.sender:
        return Answer(False, "TASKFLOW_SMTP_URL and TASKFLOW_ALERT_SENDER are not set for the workers and the server.")
    message = EmailMessage()
    message["Subject"] = " ".join(alert.title.split())[:200]
    message["From"], message["To"] = mail.sender, rule.address
    message["Message-ID"] = f"<{alert.id}@taskflow>"
    message.set_content(f"{alert.title}\n\n{alert.body}\n")
    server = urlsplit(mail.url)
    is_tls = server.scheme == "smtps"
    context = ssl.create_default_context()
    host, port = server.hostname or "", server.port or (_TLS if is_tls else _SUBMISSION)
    client = (
        smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
        if is_tls
        else smtplib.SMTP(host, port, timeout=_SECONDS)
    )
    with client:
        client.ehlo()
        if server.scheme == "smtp":
            if not client.has_extn("starttls"):  # one in between may have taken the offer away
                return Answer(False, f"{host} does not offer STARTTLS, so that nothing was sent to it. {_PLAIN}")
            client.starttls(context=context)
            client.ehlo()
        if server.username:
            client.login(unquote(server.username), unquote(server.password or ""))
        client.send_message(message)
    return Answer(True, f"{host} has taken it.")
