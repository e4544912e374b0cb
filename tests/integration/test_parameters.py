"""Tasks with several parameters on real workers, triggered by their verbs, by id and by plain Celery producers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import pytest
from celery import canvas

from taskflow import BatchItem, Queue, batch, runs, tasks
from taskflow.errors import PayloadError
from tests.projects import fleet_tasks, parameter_tasks
from tests.support.fleet import Fleet
from tests.support.plain_producer import produce

S = 20
chain, chord, group = (cast("Any", kind) for kind in (canvas.chain, canvas.chord, canvas.group))
EXECUTORS = pytest.mark.parametrize("executor", ["process", "async"])


def charge_of(executor: str) -> Any:
    """Return the task of an executor."""
    return parameter_tasks.charge if executor == "process" else parameter_tasks.async_charge


def confirm_of(executor: str) -> Any:
    """Return the task that takes the result of ``charge_of``."""
    return parameter_tasks.confirm if executor == "process" else parameter_tasks.async_confirm


@pytest.mark.timeout(90)
@EXECUTORS
def test_runs_have_the_arguments_of_their_calls(fleet: Fleet, executor: str) -> None:
    """The function and its hooks get the same values from every verb and in every form."""
    fleet.start_node(executor=executor)
    charge = charge_of(executor)
    first = charge.trigger("o1", amount=Decimal("3.50"))
    assert first.result(timeout=S) == ["o1", "3.50", None]
    run = runs.retrieve(first.id)
    assert (run.payload, run.metadata["noted"]) == ({"order_id": "o1", "amount": "3.50"}, ["o1", "3.50", 1])
    assert charge.trigger(order_id="o2", note="n").result(timeout=S) == ["o2", "1", "n"]
    assert charge.with_options(tags=["a"], priority=5).trigger("o3").result(timeout=S) == ["o3", "1", None]
    assert tasks.trigger(charge.definition.id, {"order_id": "o4"}).result(timeout=S) == ["o4", "1", None]
    made = charge.batch_trigger([charge.arguments("o5"), BatchItem(charge.arguments("o6", 2), tags="b")])
    assert [result.unwrap() for result in made.results(timeout=S)] == [["o5", "1", None], ["o6", "2", None]]
    mixed = batch.trigger([(charge, charge.arguments("o7")), (charge.definition.id, {"order_id": "o8"})])
    assert [cast("Any", result.unwrap())[0] for result in mixed.results(timeout=S)] == ["o7", "o8"]
    assert first.replay().result(timeout=S) == ["o1", "3.50", None]


@pytest.mark.timeout(90)
@EXECUTORS
def test_a_run_waits_for_runs_of_calls(fleet: Fleet, executor: str) -> None:
    """The verbs that wait take the same arguments, within a run."""
    fleet.start_node(executor=executor, concurrency=4)
    parent = parameter_tasks.charges if executor == "process" else parameter_tasks.async_charges
    expected = [["p", "1", "one"], ["p.0", "0", None], ["p.1", "1", None], ["p.0", "0", None]]
    assert parent.trigger("p").result(timeout=S) == expected


@pytest.mark.timeout(60)
def test_a_parameter_may_be_called_as_an_option_is(fleet: Fleet) -> None:
    """Arguments and options have different doors, so that neither shadows the other."""
    fleet.start_node()
    handle = parameter_tasks.options.with_options(queue=Queue("t-own-queue")).trigger("the argument", 7, tags=("a",))
    assert handle.result(timeout=S) == ["t-own-queue", 1, "the argument", 7, "a"]
    assert parameter_tasks.sweep.trigger().result(timeout=S) == 30
    assert parameter_tasks.sweep.trigger(days=5).result(timeout=S) == 5


@pytest.mark.usefixtures("new_vhost")
@pytest.mark.timeout(90)
@EXECUTORS
def test_the_arguments_of_a_plain_producer_fill_the_parameters(fleet: Fleet, executor: str) -> None:
    """Old code that sends args and kwargs goes on as it is, and its mistakes do not reach the function."""
    fleet.start_node(executor=executor)
    name = charge_of(executor).definition.id
    printed = produce(
        fleet,
        "taskflow://",
        f"""
send = lambda *args, **kwargs: app.send_task({name!r}, args=args, kwargs=kwargs)
print(send("o1", amount="3.50").get(timeout=20))
print(send(order_id="o2").get(timeout=20))
print(app.send_task({name!r}, args=["o3", 2], kwargs={{"note": "late"}}, countdown=1).get(timeout=20))
@app.task(name={name!r})
def stub(order_id, amount=1, *, note=None): ...
print(stub.delay("o4", amount=4).get(timeout=20))
for wrong in (send("o5", amuont=1), send(), send("o6", "much"), send("a", 1, 2), send({{"order_id": "o7"}})):
    error = wrong.get(timeout=20, propagate=False)
    print(type(error).__name__, error)
""",
        executor=executor,
    )
    lines = printed.splitlines()
    assert lines[:4] == [
        "['o1', '3.50', None]", "['o2', '1', None]", "['o3', '2', 'late']", "['o4', '4', None]"
    ]  # fmt: skip
    for line, words in zip(
        lines[4:],
        ("unexpected keyword argument 'amuont'", "missing a required argument: 'order_id'", "amount: Input should",
         "too many positional arguments", "order_id: Input should be a valid string"),
        strict=True,
    ):  # fmt: skip
        assert line.startswith(f"PayloadError The payload does not fit task '{name}'")
        assert words in line


@pytest.mark.timeout(60)
@EXECUTORS
def test_wrong_arguments_of_a_registered_celery_task_are_refused_before_a_message_is_sent(
    fleet: Fleet, executor: str
) -> None:
    """The producer that has the task's code gets the error where its mistake is."""
    fleet.start_node(executor=executor)
    celery: Any = fleet.flow.celery
    registered = celery.tasks[charge_of(executor).definition.id]
    for args, kwargs, words in (
        (("o1",), {"amuont": 1}, "unexpected keyword argument"),
        (("o1", "much"), {}, "amount: Input should be"),
        (("o1", 2, 3), {}, "too many positional"),
        ((), {}, "missing a required argument"),
    ):
        with pytest.raises(PayloadError, match=words):
            registered.delay(*args, **kwargs)
        with pytest.raises(PayloadError, match=words):
            registered.apply_async(args, kwargs, countdown=5)
        with pytest.raises(PayloadError, match=words):
            registered.s(*args, **kwargs).apply_async()
    sent = registered.apply_async(("o1",), {"amount": "2"})
    assert sent.get(timeout=S) == ["o1", "2", None]
    assert [run.id for run in runs.list(limit=10)] == [sent.id]
    assert runs.retrieve(sent.id).payload == {"order_id": "o1", "amount": "2"}


@pytest.mark.timeout(90)
@EXECUTORS
def test_signatures_of_tasks_make_chains_groups_and_chords_of_runs(fleet: Fleet, executor: str) -> None:
    """The result of a member is the first argument of the next one; other members may have one payload."""
    fleet.start_node(executor=executor)
    is_async = executor == "async"
    charge, confirm, echo = charge_of(executor), confirm_of(executor), fleet_tasks.echo
    if is_async:
        echo = cast("Any", fleet_tasks.async_echo)
    sent = chain(charge.si("o1", amount=Decimal("2.50")), confirm.s(prefix="paid"), echo.s()).apply_async()
    assert sent.get(timeout=S) == "paid:o1:2.50"
    assert runs.retrieve(sent.parent.id).payload == {"charged": ["o1", "2.50", None], "prefix": "paid"}
    assert charge.s("o2", note="n").delay().get(timeout=S) == ["o2", "1", "n"]
    assert charge.s().apply_async(("o3",), {"amount": 2}).get(timeout=S) == ["o3", "2", None]
    members = group(charge.s(f"g{number}", Decimal(number)) for number in range(3)).apply_async()
    assert [each[:2] for each in members.get(timeout=S)] == [["g0", "0"], ["g1", "1"], ["g2", "2"]]
    ended = chord([charge.si("c0"), echo.si({"a": 1})])(echo.s())
    assert ended.get(timeout=S) == [["c0", "1", None], {"a": 1}]
    linked = charge.s("l").set(link=confirm.s("linked"))
    assert linked.apply_async().get(timeout=S) == ["l", "1", None]
    wrong = chain(charge.si("o4"), confirm.s(prefix=5), echo.s()).apply_async()
    error = wrong.get(timeout=S, propagate=False)
    assert (type(error).__name__, "prefix: Input should be" in str(error)) == ("PayloadError", True)


def test_arguments_of_a_signature_are_checked_before_it_is_sent(fleet: Fleet) -> None:
    """As far as they are known."""
    charge: Any = parameter_tasks.charge
    echo: Any = fleet_tasks.says
    cases: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: charge.s(amuont=1), "unexpected keyword argument 'amuont'"),
        (lambda: charge.s(1, 2, 3), "too many positional"),
        (lambda: charge.s(object()), "Unable to serialize"),
        (lambda: charge.si(), "missing a required argument"),
        (lambda: charge.si("o", "much"), "amount: Input should be"),
        (lambda: charge.s().delay(), "missing a required argument"),
        (lambda: charge.s("o", amount="much").apply_async(), "amount: Input should be"),
        (lambda: echo.s("text"), "Input should be a valid integer"),
        (lambda: echo.si("text"), "Input should be a valid integer"),
    )
    for make, words in cases:
        with pytest.raises(PayloadError, match=words):
            make()
    assert list(runs.list(limit=1)) == []
