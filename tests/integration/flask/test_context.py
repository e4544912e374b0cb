"""The app's context around runs, in processes and in coroutines, and database connections after a fork."""

import pytest

from tests.support.flask_site import FlaskSite
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)
TRIGGER = """
import sys
import site_app
app = site_app.create_app()
task = getattr(site_app, sys.argv[1])
handles = [task.trigger() for _ in range(int(sys.argv[2]))]
for handle in handles:
    try:
        print(handle.result(timeout=30))
    except Exception as error:
        print(type(error).__name__)
"""
NAME = "tests' site"


def outputs(site: FlaskSite, task: str, runs: int = 1) -> list[str]:
    """Run a task several times and return what each run returned. The notes are those of the workers."""
    return site.call("-c", TRIGGER, task, str(runs), env={"SITE_NOTES": ""}).splitlines()


def test_every_run_has_a_context_of_its_own_with_all_its_hooks(site: FlaskSite) -> None:
    """`current_app` works as in a view, and `g` of one run is not that of another, nor that of a parallel one."""
    site.start_node("process", concurrency=1)
    site.start_node("async", concurrency=1)
    for task in ("place", "place_async"):
        (site.folder / "notes").unlink(missing_ok=True)
        assert outputs(site, task, 3) == [f"{NAME} False"] * 3
        wait_until(lambda: sum("teardown" in each for each in site.notes()) >= 3, "three teardowns")
        notes = site.notes()
        for kind in ("init", "on_start", "on_success", "cleanup"):
            assert notes.count(f"{kind} {NAME}") == 3, notes
        assert notes.count("teardown NoneType") == 3
    assert outputs(site, "durable") == [f"{NAME} {NAME}"]


@pytest.mark.interpreter
def test_teardown_functions_get_the_error_of_an_attempt(site: FlaskSite) -> None:
    """As they get that of a request: a session is rolled back by it."""
    del site.variables["FLASK_APP"]
    site.start_worker("-m", "flask", "--app", "site_app", "taskflow", "worker", "--concurrency", "1")
    (site.folder / "notes").unlink(missing_ok=True)
    assert outputs(site, "fail") == ["RunFailedError"]
    wait_until(lambda: "teardown ValueError" in site.notes(), "the teardown")
    assert f"on_failure {NAME}" in site.notes()


def test_hooks_of_a_run_that_was_canceled_in_its_queue_have_the_context(site: FlaskSite) -> None:
    """They are called by a worker that never executed the run."""
    cancel = "import site_app; site_app.create_app(); site_app.place.trigger(delay='1h').cancel()"
    site.call("-c", cancel, env={"SITE_NOTES": ""})
    site.start_node(concurrency=1)
    wait_until(lambda: f"on_cancel {NAME}" in site.notes(), "the hook", timeout=20)


def test_children_have_database_connections_of_their_own(site: FlaskSite) -> None:
    """The node has used one before it forked, and two processes on one connection get each other's answers."""
    site.start_node(concurrency=2)
    inherited = (
        "import os, site_app; a = site_app.create_app()\nwith a.app_context():\n    site_app.db.session.connection()"
    )
    forked = f"""{inherited}
    before = site_app.db.session.connection().connection.dbapi_connection
    site_app.db.session.remove()
    child = os.fork()
    if not child:
        after = site_app.db.session.connection().connection.dbapi_connection
        os._exit(1 if after is before else 0)
    assert os.waitpid(child, 0)[1] == 0, 'the child uses the connection of its parent'
    assert site_app.db.session.connection().connection.dbapi_connection is before
"""
    site.call("-c", forked)
    assert len(outputs(site, "connection", 4)) == 4
