"""Celery apps beside ours: producers that know nothing of taskflow, and plain tasks in our workers."""

from typing import Any, cast

import pytest
from celery import canvas

from tests.support.fleet import Fleet
from tests.support.plain_producer import produce

S = 10
chain, chord = (cast("Any", kind) for kind in (canvas.chain, canvas.chord))


@pytest.mark.timeout(90)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_the_result_backend_works_in_an_app_that_knows_nothing_of_us(fleet: Fleet, executor: str) -> None:
    """Its entry point is enough. The URL may name the store and the environment itself."""
    fleet.start_node(executor=executor)
    task = "t-echo" if executor == "process" else "t-async-echo"
    printed = produce(
        fleet,
        "taskflow://",
        f"""
result = app.send_task({task!r}, args=[[1, "ü"]])
print(result.get(timeout=20), result.state, app.AsyncResult("no-such").state)
late = app.send_task("no-such-task", args=[1], task_id="misfit-1")
print(app.send_task({task!r}, args=[1, 2], kwargs={{"x": 1}}).get(timeout=20, propagate=False).__class__.__name__)
print(app.backend.as_uri())
""",
        executor=executor,
    )
    assert printed.splitlines() == ["[1, 'ü'] SUCCESS PENDING", "PayloadError", "taskflow://"]
    named = f"taskflow+{fleet.flow.store_url}?environment={fleet.environment}"
    code = f"print(app.send_task({task!r}, args=['x']).get(timeout=20))"
    assert produce(fleet, named, "import os; os.environ.pop('TASKFLOW_ENVIRONMENT')\n" + code, executor=executor) == "x"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_plain_tasks_in_our_workers_have_their_results(fleet: Fleet, executor: str) -> None:
    """Celery itself returned None at once: the setting that spares runs a second result spared plain tasks theirs."""
    fleet.start_node(executor=executor)
    celery: Any = fleet.flow.celery
    queue = f"{fleet.environment}.small-1x.{executor}"

    def sig(name: str, *args: object) -> Any:
        return canvas.signature(name, args=args, app=celery, queue=queue)

    echo = sig("t-echo" if executor == "process" else "t-async-echo", 3)
    assert sig("plain-double", 4).apply_async().get(timeout=S) == 8
    assert sig("plain-shared", 4).apply_async().get(timeout=S) == [4]
    assert chain(echo, sig("plain-double"), sig("plain-shared")).apply_async().get(timeout=S) == [6]
    assert chord([echo, sig("plain-double", 1)], sig("plain-shared")).apply_async().get(timeout=S) == [[3, 2]]
    silent = sig("plain-silent", 4).apply_async()
    sig("plain-double", 4).apply_async().get(timeout=S)
    assert not silent.ready()
