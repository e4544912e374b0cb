"""Rules find events once, and alerts are sent once whatever dies."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.standard import StandardWebhooks
from taskflow.engine.alerts import findings
from taskflow.engine.alerts.engine import AlertEngine, new_secret
from taskflow.engine.alerts.findings import ABSENT, Looks
from taskflow.engine.alerts.sending import MailServer, send_alert
from taskflow.engine.feeds.lag import FeedLag
from taskflow.engine.lookup import Lookup
from taskflow.errors import DefinitionError
from taskflow.history.alerts import HOLD, MOST_TRIES, AlertRows
from taskflow.history.error_reader import set_state
from taskflow.history.reader import Reader
from taskflow.history.rows import Rows, rows_of
from taskflow.history.writer import Writer
from taskflow.seams.alerts import Alert, AlertChannel, AlertKind, AlertRule, Finding
from taskflow.seams.error_groups import ErrorState
from taskflow.settings import Settings
from taskflow.store.sync_store import Store
from taskflow.upkeep.alerts import AlertThread
from tests.history.conftest import ENVIRONMENT, a_record, an_error, open_database, write
from tests.support.bench import Bench
from tests.support.receivers import Received, http_receiver, smtp_receiver
from tests.support.waiting import wait_until

NOW = datetime.now(UTC)
MADE = NOW - timedelta(hours=2)


def a_rule(kind: AlertKind = AlertKind.RUN_FAILED, **fields: object) -> AlertRule:
    """Return a rule that sends to a webhook."""
    usual: dict[str, object] = {"id": "rule_1", "kind": kind, "channel": AlertChannel.WEBHOOK, "made_at": MADE}
    usual |= {"address": "http://127.0.0.1:1/hook", "secret": new_secret()}
    return AlertRule(**(usual | fields))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - fields by name


def failed(run_id: str, at: datetime, task: str = "t", message: str = "boom") -> Rows:
    """Return the rows of a run that failed at an instant."""
    ms = round(at.timestamp() * 1000)
    times = {"created": str(ms - 9), "started": str(ms - 5), "attempt_started": str(ms - 5), "finished": str(ms)}
    record = a_record(task=task, status="FAILED", error=an_error(message), **times)
    return rows_of(ENVIRONMENT, run_id, 1, record)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the instant of each test: rules look back for some minutes, and the module was imported long before."""
    monkeypatch.setattr(f"{__name__}.NOW", datetime.now(UTC))


@pytest.fixture
def rows(reader: Reader) -> AlertRows:
    """The rules and alerts."""
    return AlertRows(reader)


@pytest.fixture
def looks(bench: Bench, reader: Reader, rows: AlertRows) -> Iterator[Looks]:
    """A look into a store and the history."""
    store = Store(bench.config, bench)
    yield Looks(store, reader, rows, {})
    store.close()


@pytest.fixture
def receiver() -> Iterator[Received]:
    """An HTTP server that takes alerts."""
    with http_receiver() as received:
        yield received


def test_the_failed_runs_of_a_minute_are_one_event(looks: Looks, writer: Writer) -> None:
    """A hundred failures at once must not be a hundred messages."""
    minute = (NOW - timedelta(minutes=3)).replace(second=10, microsecond=0)
    write(writer, failed("run_1", minute), failed("run_2", minute), failed("run_3", minute, "u"))
    (found,) = looks.find(a_rule(), NOW)
    assert found.title == "3 runs of t, u failed"
    (of_u,) = looks.find(a_rule(names=("u",)), NOW)
    assert of_u.data["runs"] == ["run_3"]
    assert not looks.find(a_rule(made_at=NOW), NOW)
    assert not looks.find(a_rule(names=("other",)), NOW)


def test_many_failures_hide_none_of_a_later_minute(looks: Looks, writer: Writer) -> None:
    """People must be told at once if everything fails."""
    minute = (NOW - timedelta(minutes=9)).replace(second=0, microsecond=0)
    for later in range(3):
        at = minute + timedelta(minutes=later)
        write(writer, *(failed(f"run_{later}_{number}", at) for number in range(300)))
    found = looks.find(a_rule(), NOW)
    assert [event.title for event in found] == ["300 runs of t failed"] * 3
    assert [len(event.data["runs"]) for event in found] == [10] * 3  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a list


def test_a_rule_finds_what_fails_in_the_rest_of_its_first_minute(looks: Looks, writer: Writer) -> None:
    """A person who has made a rule lets a run fail at once, to try it."""
    minute = (NOW - timedelta(minutes=4)).replace(second=0, microsecond=0)
    write(writer, *(failed(f"run_{second}", minute + timedelta(seconds=second)) for second in (10, 20, 40, 70)))
    rule = a_rule(made_at=minute + timedelta(seconds=20))
    assert [found.data["runs"] for found in looks.find(rule, NOW)] == [["run_20", "run_40"], ["run_70"]]
    assert [found.data["count"] for found in looks.find(rule, NOW)] == [2, 1]


def test_a_minute_is_counted_once_the_history_has_it(
    looks: Looks, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its alert would tell of the first runs only, or not come at all."""

    def lag(_: Store) -> FeedLag:
        return FeedLag(1000, timedelta(minutes=5))

    monkeypatch.setattr(findings, "feed_lag", lag)
    write(writer, failed("run_1", NOW - timedelta(minutes=3)), failed("run_2", NOW - timedelta(minutes=30)))
    assert [found.data["runs"] for found in looks.find(a_rule(), NOW)] == [["run_2"]]


def test_an_error_is_new_once_though_an_earlier_failure_comes_later(looks: Looks, writer: Writer) -> None:
    """Shards are fed beside each other."""
    rule = a_rule(AlertKind.NEW_ERROR)
    write(writer, failed("run_1", NOW - timedelta(minutes=5)))
    (before,) = looks.find(rule, NOW)
    write(writer, failed("run_2", NOW - timedelta(minutes=6)))
    (after,) = looks.find(rule, NOW)
    assert after.key == before.key


def test_an_error_is_found_when_it_is_new_and_when_it_comes_back(looks: Looks, writer: Writer, reader: Reader) -> None:
    """A muted one is not."""
    write(writer, failed("run_1", NOW - timedelta(minutes=5)))
    rule = a_rule(AlertKind.NEW_ERROR)
    (new,) = looks.find(rule, NOW)
    assert new.title == "An error is new: Boom: boom"
    group = str(new.data["error"])
    set_state(reader, group, ErrorState.RESOLVED, NOW - timedelta(minutes=4), "ana")
    assert not looks.find(rule, NOW)
    write(writer, failed("run_2", NOW - timedelta(minutes=2)))
    (back,) = looks.find(rule, NOW)
    assert back.title == "An error came back: Boom: boom"
    assert back.key != new.key
    set_state(reader, group, ErrorState.MUTED, NOW, "ana")
    assert not looks.find(rule, NOW)


def test_a_share_needs_some_runs(looks: Looks, writer: Writer) -> None:
    """One of one is no share."""
    rule = a_rule(AlertKind.FAILED_SHARE, threshold=50.0)
    at = NOW - timedelta(minutes=20)
    write(writer, failed("run_0", at))
    assert not looks.find(rule, NOW)
    write(writer, *(failed(f"run_{number}", at) for number in range(1, 12)))
    (found,) = looks.find(rule, NOW)
    assert found.title.startswith("100.0 % of the runs of t failed")


def test_a_queue_that_is_old_is_found(looks: Looks, bench: Bench) -> None:
    """Nothing else tells that nobody works on it."""
    bench.node()
    for _ in range(2):
        bench.trigger("slow", limit=1)
    at = bench.now[0] / 1_000_000 if bench.now[0] else NOW.timestamp()
    later = datetime.fromtimestamp(at, UTC) + timedelta(hours=1)
    rule = a_rule(AlertKind.QUEUE_OLDEST, threshold=1800.0)
    assert [found.data["queue"] for found in looks.find(rule, later)] == ["slow"]
    assert not looks.find(a_rule(AlertKind.QUEUE_OLDEST, threshold=1800.0, names=("other",)), later)


@pytest.mark.parametrize("limit", [None, 1])
def test_a_machine_class_without_a_node_is_found(looks: Looks, bench: Bench, limit: int | None) -> None:
    """Nodes of a new version take some seconds; most queues have no limit."""
    bench.node()
    bench.trigger("q", limit=limit)
    for number in range(2):
        bench.trigger(f"big{number}", limit=limit, class_name="large-2x.process")
    rule = a_rule(AlertKind.NO_NODE)
    assert not looks.find(rule, NOW)
    (found,) = looks.find(rule, NOW + ABSENT)
    assert (found.title, found.data["machine"]) == ("No node serves large-2x: 2 runs wait", "large-2x")
    assert not looks.find(a_rule(AlertKind.NO_NODE, names=("small-1x",)), NOW + ABSENT)
    bench.node("n2", class_name="large-2x.process")
    assert not looks.find(rule, NOW + ABSENT)
    assert looks.absent == {}


def test_an_event_is_kept_once(rows: AlertRows) -> None:
    """It is found at each look as long as it is recent."""
    rule = a_rule()
    rows.keep_rule(rule)
    finding = Finding("minute:1", "2 runs failed", {"count": 2})
    assert [rows.keep_findings(rule, [finding], NOW) for _ in range(3)] == [1, 0, 0]
    (alert,) = rows.alerts(rule.id)
    assert json.loads(alert.body)["data"] == {"count": 2}
    assert rows.counts(NOW - timedelta(hours=1))[rule.id][0] == 1


def test_a_rule_that_is_deleted_leaves_no_alert(rows: AlertRows) -> None:
    """A look may have begun before."""
    rule = a_rule()
    rows.keep_rule(rule)
    rows.keep_findings(rule, [Finding("a", "A")], NOW)
    assert rows.drop_rule(rule.id)
    assert rows.keep_findings(rule, [Finding("b", "B")], NOW) == 0
    assert rows.alerts(rule.id) == []
    assert rows.take(NOW) is None


def test_an_alert_is_taken_by_one_sender_and_again_when_that_dies(rows: AlertRows) -> None:
    """A sender that dies has sent it or not; the id tells the receiver."""
    rule = a_rule()
    rows.keep_rule(rule)
    rows.keep_findings(rule, [Finding("a", "A")], NOW)
    first = rows.take(NOW)
    assert first
    assert not rows.take(NOW)
    second = rows.take(NOW + HOLD)
    assert second
    assert (second.id, second.tries) == (first.id, 2)
    rows.settle(second, "200", NOW, is_sent=True)
    assert not rows.take(NOW + timedelta(days=1))
    assert rows.alerts(rule.id)[0].state == "sent"


def test_what_is_refused_is_tried_again_later_and_given_up(rows: AlertRows) -> None:
    """A receiver may be away for hours, not for ever."""
    rule, now = a_rule(), NOW
    rows.keep_rule(rule)
    rows.keep_findings(rule, [Finding("a", "A")], NOW)
    for _ in range(MOST_TRIES):
        now += timedelta(hours=2)
        alert = rows.take(now)
        assert alert
        rows.settle(alert, "503", now, is_sent=False)
    assert rows.alerts(rule.id)[0].state == "failed"
    assert not rows.take(now + timedelta(days=1))
    rows.trim(NOW + timedelta(days=8))
    assert not rows.alerts(rule.id)


def test_a_webhook_is_signed_as_standard_webhooks_says(receiver: Received) -> None:
    """Every receiver's library can verify it."""
    rule = a_rule(address=receiver.url)
    alert = Alert("alert_1", rule.id, NOW, "A", '{"type":"alert.test"}', "pending", 1, "")
    answer = send_alert(rule, alert, MailServer())
    assert answer.is_taken
    assert answer.text == "200 thanks"
    headers = [(name.encode(), value.encode()) for name, value in receiver.headers[0].items()]
    request = WebhookRequest("POST", receiver.url, headers, receiver.bodies[0])
    StandardWebhooks().verify(request, [rule.secret], time.time())
    assert receiver.headers[0]["webhook-id"] == "alert_1"


@pytest.mark.parametrize("status", [301, 400, 503])
def test_only_a_success_is_taken(receiver: Received, status: int) -> None:
    """No redirect is followed: it would lead the signed body elsewhere."""
    receiver.status = status
    rule = a_rule(address=receiver.url)
    answer = send_alert(rule, Alert("alert_1", rule.id, NOW, "A", "{}", "pending", 1, ""), MailServer())
    assert (answer.is_taken, len(receiver.bodies)) == (False, 1)
    assert str(status) in answer.text


def test_an_address_that_does_not_answer_is_an_answer() -> None:
    """The page of the rule shows it."""
    answer = send_alert(a_rule(), Alert("a", "r", NOW, "A", "{}", "pending", 1, ""), MailServer())
    assert not answer.is_taken
    assert "refused" in answer.text


def test_a_receiver_that_answers_nonsense_keeps_no_other_alert_from_its_own(
    bench: Bench, url: str, rows: AlertRows, receiver: Received
) -> None:
    """It may be no web server at all: an SMTP server speaks first and says something else."""
    with smtp_receiver() as odd:
        rows.keep_rule(a_rule(id="rule_odd", address=odd.url.replace("smtp+plain:", "http:")))
        rows.keep_rule(a_rule(address=receiver.url))
        for rule in rows.rules():
            rows.keep_findings(rule, [Finding("a", "A")], NOW - timedelta(minutes=1 if rule.id == "rule_odd" else 0))
        store = Store(bench.config, bench)
        thread = AlertThread(store, lambda: open_database(url), ENVIRONMENT, MailServer(), timedelta(seconds=0.2))
        thread.start()
        wait_until(lambda: rows.alerts("rule_1")[0].state == "sent", "the alert to be sent")
        thread.stop()
        wait_until(lambda: not thread.is_alive, "the sender to end")
        store.close()
    (refused,) = rows.alerts("rule_odd")
    assert (refused.state, refused.tries) == ("pending", 1)
    assert "BadStatusLine" in refused.answer


def test_an_alert_is_sent_by_e_mail() -> None:
    """Without a server for it the answer says what to set."""
    rule = a_rule(channel=AlertChannel.EMAIL, address="oncall@shop.example", secret="")
    alert = Alert("alert_1", rule.id, NOW, "2 runs\nfailed", "{}", "pending", 1, "")
    assert "TASKFLOW_SMTP_URL" in send_alert(rule, alert, MailServer()).text
    with smtp_receiver() as received:
        assert send_alert(rule, alert, MailServer(received.url, "taskflow@shop.example")).is_taken
    assert b"Subject: 2 runs failed" in received.bodies[0]
    assert b"To: oncall@shop.example" in received.bodies[0]


def test_an_e_mail_is_not_sent_where_others_can_read_it_on_the_way() -> None:
    """One between two hosts can take a server's offer of TLS away, and would read password and alert."""
    rule = a_rule(channel=AlertChannel.EMAIL, address="oncall@shop.example", secret="")
    alert = Alert("alert_1", rule.id, NOW, "2 runs failed", "{}", "pending", 1, "")
    with smtp_receiver() as received:
        url = received.url.replace("smtp+plain://", "smtp://ana:secret@")
        answer = send_alert(rule, alert, MailServer(url, "taskflow@shop.example"))
    assert not answer.is_taken
    assert "does not offer STARTTLS" in answer.text
    assert "smtp+plain://" in answer.text
    assert received.bodies == []


def test_two_senders_send_each_alert_once(
    bench: Bench, url: str, writer: Writer, rows: AlertRows, receiver: Received
) -> None:
    """Two processes may look at the same time, because a leader is taken for dead."""
    rows.keep_rule(a_rule(address=receiver.url))
    minute = (NOW - timedelta(minutes=3)).replace(second=10, microsecond=0)
    write(writer, *(failed(f"run_{n}", minute - timedelta(minutes=n)) for n in range(4)))
    stores = [Store(bench.config, bench) for _ in range(2)]
    threads = [
        AlertThread(store, lambda: open_database(url), ENVIRONMENT, MailServer(), timedelta(seconds=0.2))
        for store in stores
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: [each.state for each in rows.alerts("rule_1")] == ["sent"] * 4, "all alerts to be sent")
    for thread in threads:
        thread.stop()
    wait_until(lambda: not any(thread.is_alive for thread in threads), "the senders to end")
    for store in stores:
        store.close()
    assert len({headers["webhook-id"] for headers in receiver.headers}) == len(receiver.headers) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "nonsense"},
        {"channel": "fax"},
        {"address": ""},
        {"address": "ftp://host/"},
        {"address": "http://"},
        {"address": "http://host:99999/"},
        {"address": "http://a\nb"},
        {"channel": "email", "address": "nobody"},
        {"channel": "email", "address": "a@b.example, c@d.example"},
        {"kind": "failed_share", "threshold": 101.0},
        {"kind": "queue_oldest", "threshold": -1.0},
        {"kind": "queue_oldest", "threshold": float("nan")},
        {"names": ["a"] * 2 + [str(n) for n in range(60)]},
    ],
)
def test_a_rule_that_is_not_possible_is_refused(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
) -> None:
    """With the field, so that the form can show it there."""
    lookup = Lookup(Settings.read())
    monkeypatch.setattr(lookup, "_reader", lambda: reader)
    engine = AlertEngine(lookup, lookup.settings)
    usual: dict[str, object] = {"kind": "run_failed", "channel": "webhook", "address": "https://host/x"}
    with pytest.raises(DefinitionError):
        engine.create(**(usual | fields))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the point
    assert not engine.list()
    made = engine.create("run_failed", "webhook", "https://host/x", by="ana")
    assert engine.switch(made.id, is_on=False, by="ben") is not None
    assert engine.find(made.id) == AlertRule(
        id=made.id,
        kind=AlertKind.RUN_FAILED,
        channel=AlertChannel.WEBHOOK,
        address="https://host/x",
        secret=made.secret,
        is_on=False,
        made_at=engine.list()[0].made_at,
        changed_by="ben",
    )
    assert engine.drop(made.id)
    assert not engine.drop(made.id)
