"""Tasks with several parameters on real workers, triggered by their verbs, by id and by plain Celery producers."""

from decimal import Decimal
from typing import Any, cast

import pytest

from taskflow import BatchItem, Queue, batch, runs, tasks
from taskflow.errors import PayloadError
from tests.projects import parameter_tasks
from tests.support.fleet import Fleet
from tests.support.plain_producer import produce

S = 20
EXECUTORS = pytest.mark.parametrize("executor", ["process", "async"])


def charge_of(executor: str) -> Any:
    """Return the task of an executor."""
    return parameter_tasks.charge if executor == "process" else parameter_tasks.async_charge


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
