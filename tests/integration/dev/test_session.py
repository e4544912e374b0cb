"""``taskflow dev``: what a session shows, serves and takes. The tests share one, because a start takes seconds."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.commands import run_command
from tests.support.dev_session import DevProject, dev_project
from tests.support.fork_server import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("dev")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProject]:
    """A session that runs, in a folder with a space in its path."""
    with dev_project(tmp_path_factory.mktemp("dev") / "a shop") as project:
        project.start()
        yield project


@pytest.fixture
def session(running: DevProject) -> Iterator[DevProject]:
    """The session, on whose store verbs are called."""
    with running.flow:
        yield running


def reload(session: DevProject, code: str, more: str = "") -> None:
    """Make an edit, and wait until it is served."""
    times = session.text().count("Reloaded in ")
    session.edit(code, more)
    session.wait_for("Reloaded in ", times + 1)


def test_a_run_has_lines_with_its_page(session: DevProject) -> None:
    """Its start, what it prints, and its end with the duration and the address of its page."""
    run = session.work()
    run.result(timeout=30)
    shown = session.wait_for(f"/dev/runs/{run.id}", 2)
    lines = [line for line in shown.splitlines() if run.id[-6:] in line]
    assert [word in line for word, line in zip(("started", "works with", "completed in"), lines, strict=True)] == [
        True
    ] * 3
    assert "dev-work" in lines[1]


def test_a_broken_edit_changes_nothing(session: DevProject) -> None:
    """The session shows file and line, the code before keeps serving, and the next good edit is taken."""
    reload(session, "good")
    session.write("jobs.py", "def broken(:\n")
    shown = session.wait_for("The code before this edit keeps serving.", session.text().count("keeps serving.") + 1)
    assert "jobs.py:1: SyntaxError" in shown
    assert session.work().result(timeout=30) == "good"
    reload(session, "mended")
    assert session.work().result(timeout=30) == "mended"


def test_an_edit_of_the_same_second_and_size_is_taken(session: DevProject) -> None:
    """Python takes bytecode for that of a source whose time, in seconds, and size are the same."""
    reload(session, "one")
    assert session.work().result(timeout=30) == "one"
    second = (session.folder / "jobs.py").stat().st_mtime_ns
    times = session.text().count("Reloaded in ")
    session.write("jobs.py", (session.folder / "jobs.py").read_text().replace('"one"', '"two"'), time_ns=second)
    session.wait_for("Reloaded in ", times + 1)
    assert session.work().result(timeout=30) == "two"


def test_a_run_finishes_with_the_code_that_it_began_with(session: DevProject) -> None:
    """It is neither interrupted nor started again."""
    reload(session, "old")
    run = session.work(8)
    wait_until(lambda: any(run.id in line for line in session.ledger()), "the run to begin", timeout=30)
    reload(session, "new")
    assert session.work().result(timeout=30) == "new"
    assert run.result(timeout=30) == "old"
    assert [line[0] for line in session.ledger() if run.id in line] == ["begin", "end"]


def test_a_link_signs_in_once(session: DevProject) -> None:
    """The terminal's link opens the dashboard as an admin. Others need a password, also with a link that was used."""
    link = session.link()
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(link).url.path == "/dev/runs"
        assert browser.get(link).url.path == "/dev/runs"  # it is signed in
    with httpx.Client(follow_redirects=True) as stranger:
        assert stranger.get(link).status_code == 403
        assert stranger.get(link.replace("key=", "key=1")).status_code == 403
        assert stranger.get(link.partition("/signin")[0] + "/dev/runs").url.path == "/signin"
    session.wait_for("/signin/link?key=", 2)
    assert session.link() != link


def test_the_dashboard_has_the_new_tasks_and_refuses_nobody_meanwhile(session: DevProject) -> None:
    """The socket stays open while the server is exchanged."""
    address = session.link().partition("/signin")[0]
    more = '\n@task(id="dev-shown")\ndef shown() -> None: ...\n'
    times = session.text().count("Reloaded in ")
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        browser.get(session.link())
        session.edit("shown", more)

        def has_new_task() -> bool:
            page = browser.get(f"{address}/dev/test")
            assert page.status_code == 200
            return "dev-shown" in page.text

        wait_until(has_new_task, "the page to have the new task", timeout=60)
    session.wait_for("Reloaded in ", times + 1)


def test_a_second_session_in_the_project_is_refused(session: DevProject) -> None:
    """It would execute the same runs, and both would show them."""
    env = {"PYTHONPATH": str(ROOT), "TASKFLOW_HOME": str(session.home), "HOME": str(session.folder)}
    done = run_command("dev", env=env)
    assert done.returncode == 1
    assert f"runs in this project already, as process {session.process.pid}" in " ".join(done.stderr.split())
