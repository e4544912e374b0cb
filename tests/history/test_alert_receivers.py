"""Receivers of alerts that are broken or hostile: what they do is an answer, and takes a bounded time."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from taskflow.engine.alerts import sending
from taskflow.engine.alerts.engine import new_secret
from taskflow.seams.alerts import Alert, AlertChannel, AlertKind, AlertRule

NOW = datetime.now(UTC)
ALERT = Alert("alert_1", "rule_1", NOW, "A test", "{}", "pending", 1, "")


def sent_to(answer: Callable[[socket.socket], None], path: str = "/") -> sending.Answer:
    """Send an alert to a receiver that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection)
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}{path}"
        rule = AlertRule(
            id="rule_1",
            kind=AlertKind.NEW_ERROR,
            channel=AlertChannel.WEBHOOK,
            address=address,
            secret=new_secret(),
            made_at=NOW,
        )
        found = sending.send_alert(rule, ALERT, sending.MailServer())
        thread.join(5)
        return found


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500,
        b"\xff" * 70_000,
    ],
)
def test_an_answer_that_is_none_is_a_refusal(raw: bytes) -> None:
    """The reason is kept with the alert."""
    answer = sent_to(lambda connection: connection.sendall(raw))
    assert not answer.is_taken
    assert answer.text


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n"])
def test_an_answer_that_drips_holds_nothing_up(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    """A byte now and then kept a sender for hours, and with it all other alerts."""
    monkeypatch.setattr(sending, "_MOST_SECONDS", 1)

    def drip(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    sent_to(drip)
    assert time.monotonic() - began < 8
