"""The tests of the shop. They are the same whether runs execute in place or by real workers (--taskflow=workers)."""

from datetime import timedelta
from typing import Any

import pytest
from celery import chain, chord, signature

from examples.shop.tasks import (
    INDEX_ONCE,
    Approval,
    Charge,
    Mail,
    Order,
    charge,
    count_stock,
    fulfil,
    index_article,
    pack,
    price,
    progress,
    refund,
    remind,
    report,
    scan,
    scans,
    send_mail,
)
from taskflow import RunFailedError, RunHandle, RunStatus, TaskFlow, queues, runs, schedules, wait
from taskflow.testing import Stage, advance, assert_triggered, now, settle, triggered

pytestmark = pytest.mark.usefixtures("taskflow_inline")

ORDER = Order(id="o_42")


def status(handle: "RunHandle[Any]") -> RunStatus:
    """Return the status of a run once nothing goes on by itself."""
    settle()
    return handle.status()


def test_a_mail_is_sent_and_tagged() -> None:
    """The simplest run: a payload, a result, a tag."""
    handle = send_mail.trigger(Mail(to="bob@example.com", subject="Hello"))
    assert handle.result() == "Hello to bob@example.com"
    assert runs.retrieve(handle.id).tags == ("to_bob@example.com",)


def test_the_bank_is_tried_again_while_it_is_busy() -> None:
    """Three attempts with delays of ten minutes and more, which the test does not wait for."""
    handle = charge.trigger(Charge(order=ORDER, busy=2))
    assert handle.result() == "paid 1000"
    run = runs.retrieve(handle.id)
    assert run.metadata["tries"] == [1, 2, 3]
    assert [attempt.number for attempt in run.attempts] == [1, 2, 3]


def test_the_customer_hears_of_a_payment_that_failed() -> None:
    """The hook of a failed run triggers another task, once."""
    handle = charge.trigger(Charge(order=ORDER, busy=9))
    with pytest.raises(RunFailedError, match="the bank is busy"):
        handle.result()
    settle()
    assert_triggered(send_mail, Mail(to="ann@example.com", subject="o_42 was not paid"), times=1)


def test_an_order_without_a_price_is_not_tried_again() -> None:
    """AbortRun ends a run at its first attempt."""
    handle = charge.trigger(Charge(order=Order(id="o_1", cents=0)))
    with pytest.raises(RunFailedError, match="nothing to pay"):
        handle.result()
    assert len(runs.retrieve(handle.id).attempts) == 1


def test_prices_are_loaded_around_each_attempt() -> None:
    """A middleware sets a local before the function, and goes on after it."""
    handle = price.trigger("cup")
    assert handle.result() == 900
    assert runs.retrieve(handle.id).metadata == {"unloaded": True}


def test_an_order_goes_through_its_days() -> None:
    """A durable run: a step, a subtask, and a wait of three days in which no process has it."""
    handle = fulfil.trigger(ORDER)
    assert status(handle) is RunStatus.WAITING
    assert runs.retrieve(handle.id).metadata == {"reserved": 1, "state": "paid"}
    assert_triggered(send_mail, times=0)
    advance(days=3)
    assert handle.result() == ["reserved o_42", "paid 1000", "reminded"]
    assert runs.retrieve(handle.id).metadata["reserved"] == 1


def test_the_mail_of_an_arrival_is_sent_once() -> None:
    """Two runs of one order share an idempotency key."""
    handles = [fulfil.trigger(ORDER), fulfil.trigger(ORDER)]
    settle()
    advance(days=4)
    assert [handle.result() for handle in handles] == [["reserved o_42", "paid 1000", "reminded"]] * 2
    settle()
    assert len(triggered(send_mail)) == 2  # a key in plain text holds within its run


def test_a_key_holds_until_its_time_is_over() -> None:
    """The same key joins the run of before, and a day later makes another."""
    mail = Mail(to="bob@example.com", subject="News")
    first = send_mail.trigger(mail, idempotency_key="news", idempotency_key_ttl="1d")
    first.result()
    assert send_mail.trigger(mail, idempotency_key="news", idempotency_key_ttl="1d").id == first.id
    advance(days=1, minutes=1)
    assert send_mail.trigger(mail, idempotency_key="news").id != first.id
    assert_triggered(send_mail, mail, times=2)


def test_reminders_come_after_a_week_and_after_a_month() -> None:
    """A run that is not durable keeps its place in the function for weeks."""
    handle = remind.trigger(ORDER)
    advance(days=6)
    assert "reminded" not in runs.retrieve(handle.id).metadata
    advance(days=2)
    assert runs.retrieve(handle.id).metadata["reminded"] == "o_42"
    advance(timedelta(days=31))
    assert handle.result() == "reminded twice"


def test_a_person_agrees_to_a_refund() -> None:
    """A token that the test completes in the person's place."""
    handle = refund.trigger(ORDER)
    assert status(handle) is RunStatus.WAITING
    token = str(runs.retrieve(handle.id).metadata["token"])
    wait.complete_token(token, Approval(by="eve", yes=True))
    assert handle.result() == "o_42 refunded by eve"


def test_nobody_answers_a_refund() -> None:
    """A token times out after two days."""
    handle = refund.trigger(ORDER)
    assert status(handle) is RunStatus.WAITING
    advance(days=2, seconds=1)
    assert handle.result() == "nobody has answered about o_42"


def test_parcels_are_packed_by_coroutines() -> None:
    """A batch of subtasks, a stream of their results, and a wait of hours."""
    handle = pack.trigger(["o_1", "o_2", "o_3"])
    assert status(handle) is RunStatus.WAITING
    advance(hours=8)
    assert handle.result() == ["label of o_1", "label of o_2", "label of o_3"]
    assert list(progress.read(handle.id)) == ["label of o_1", "label of o_2", "label of o_3"]


def test_a_scanner_reports_parcels() -> None:
    """An input stream: the run waits for each item that the test sends."""
    handle = scan.trigger(2)
    assert status(handle) is RunStatus.WAITING
    scans.send(handle.id, "parcel 1")
    assert status(handle) is RunStatus.WAITING
    scans.send(handle.id, "parcel 2")
    assert handle.result() == ["parcel 1", "parcel 2"]


def test_a_report_is_made_each_morning() -> None:
    """Three days have three ticks of a daily schedule, each at its instant."""
    advance(days=3)
    made = triggered(report)
    assert len(made) == 3
    assert all(str(run.output).endswith("06:00") for run in made)


def test_a_schedule_of_a_customer_is_made_and_deleted() -> None:
    """A schedule that a program makes fires until it is deleted."""
    schedule = schedules.create("shop-report", cron="0 9 * * *", deduplication_key="ann")
    before = now()
    advance(days=1)
    assert sum("09:00" in str(run.output) for run in triggered(report)) == 1
    schedules.delete(schedule.id)
    advance(days=1)
    assert sum("09:00" in str(run.output) for run in triggered(report)) == 1
    assert now() - before >= timedelta(days=2)


def test_a_delayed_mail_can_be_canceled() -> None:
    """A run that has not begun is canceled, and never starts."""
    handle = send_mail.trigger(Mail(to="bob@example.com", subject="Later"), delay="1h")
    assert status(handle) is RunStatus.DELAYED
    assert handle.cancel()
    advance(hours=2)
    assert handle.status() is RunStatus.CANCELED


def test_a_queue_that_is_paused_executes_nothing() -> None:
    """Runs of a limited queue wait in it, and go on when it goes on."""
    queues.pause("shop-stock")
    handles = [count_stock.trigger(article) for article in ("tea", "cup")]
    assert [status(handle) for handle in handles] == [RunStatus.QUEUED] * 2
    queues.resume("shop-stock")
    assert [handle.result() for handle in handles] == ["counted tea", "counted cup"]


def test_changes_of_an_article_are_indexed_once() -> None:
    """Triggers within a minute are one run, a minute after the last."""
    for name in ("tea", "green tea", "best tea"):
        index_article.trigger(name, debounce=INDEX_ONCE)
    settle()
    advance(minutes=1)
    (run,) = assert_triggered(index_article, times=1)
    assert run.output == "indexed best tea"


def test_a_mail_that_comes_too_late_expires() -> None:
    """A run that does not start within its ttl never does."""
    queues.pause("shop-stock")
    handle = count_stock.trigger("tea", ttl="10m")
    assert status(handle) is RunStatus.QUEUED
    advance(minutes=11)
    assert handle.status() is RunStatus.EXPIRED


def test_chains_and_chords_of_celery_are_made_of_runs(taskflow_inline: Stage) -> None:
    """Members are runs, with the results that Celery's own interface shows."""
    app: Any = TaskFlow.current().celery
    double = signature("shop-double", args=(1,), app=app)
    assert chain(double, signature("shop-double", app=app)).apply_async().get(timeout=20) == 4
    members = [signature("shop-double", args=(number,), app=app) for number in (1, 2, 3)]
    assert chord(members, signature("shop-sum", app=app)).apply_async().get(timeout=20) == 12
    assert len(taskflow_inline.triggered("shop-double")) == 5
