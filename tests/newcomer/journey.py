"""The steps of a newcomer, by real programs and in Chromium, each with its time."""

import re
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.newcomer.environment import Environment
from tests.support.browser import Visit
from tests.support.processes import kill_group, spawn
from tests.support.servers import free_port
from tests.support.waiting import wait_until

LIMIT = 120
"""Seconds for everything, from an empty folder to the first run in the dashboard."""
_LINK = re.compile(r"http://\S+/signin/link\?key=\S+")


class Journey:
    """One newcomer in one folder.

    Attributes:
        steps: What was done, and the seconds that it took.
    """

    def __init__(self, environment: Environment, folder: Path, report: Callable[[str], None] = print) -> None:
        self._environment, self._folder, self._report = environment, folder, report
        self._log = folder.with_name(f"{folder.name}.log")
        self.steps: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """The time of all steps."""
        return sum(self.steps.values())

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Measure a step."""
        began = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - began
        self._report(f"{name}: {self.steps[name]:.1f} s")
        assert self.seconds < LIMIT, self.steps

    def plain(self, browser: Browser) -> None:
        """See the first run, which the dashboard's page Test has triggered; then the command that init printed."""
        printed = self._init()
        with self._dev() as link, _visit(browser) as visit:
            page = visit.page
            with self.step("the first run is COMPLETED in the dashboard, triggered by its page Test"):
                page.goto(link)
                page.goto(f"{_origin(link)}/dev/test/hello-world")
                page.fill("[data-at='/name']", "Ada")
                page.wait_for_function("() => document.getElementById('payload').value.includes('Ada')")
                page.click("#trigger")
                page.wait_for_url(re.compile(r"/runs/run_\w+$"))
                _see_completed(visit)
            command = next(line for line in printed.splitlines() if "taskflow trigger" in line)
            assert "Hello, Ada!" in self._environment.run("sh", "-c", command, cwd=self._folder)
            page.goto(f"{_origin(link)}/dev/runs")
            page.wait_for_selector("main tbody tr >> nth=1")
            assert visit.faults == []

    def django(self, browser: Browser) -> None:
        """See the first run, which the form of the site has triggered."""
        self._init("--kind", "django")
        port = free_port()
        serve = ("python", "manage.py", "runserver", str(port), "--noreload")
        with self._dev() as link, _visit(browser) as visit, self._running(*serve):
            page = visit.page
            with self.step("the first run is COMPLETED in the dashboard, triggered by the form of the site"):
                wait_until(lambda: _listens(port), "the site to start", 60)
                page.goto(f"http://127.0.0.1:{port}/")
                page.click("button")
                page.wait_for_url(re.compile(r"/runs/run_\w+/$"))
                run_id = page.url.rstrip("/").rpartition("/")[2]
                visit.faults.clear()  # the site has no icon
                page.goto(link)
                page.goto(f"{_origin(link)}/dev/runs/{run_id}")
                _see_completed(visit)
            assert visit.faults == []

    def _init(self, *options: str) -> str:
        with self.step("taskflow init"):
            printed = self._environment.run("taskflow", "init", *options, cwd=self._folder)
        assert "  taskflow dev\n" in printed
        assert "cd " not in printed
        return printed

    @contextmanager
    def _dev(self) -> Generator[str]:
        """Run ``taskflow dev``, which yields the link that it shows, and ends at one Ctrl-C."""
        began = time.monotonic()
        with self._running("taskflow", "dev") as log:
            links = wait_until(lambda: _LINK.findall(_text(log)), "taskflow dev to show its link", LIMIT)
            self.steps["taskflow dev shows the link to the dashboard"] = time.monotonic() - began
            self._report(f"taskflow dev shows the link to the dashboard: {time.monotonic() - began:.1f} s")
            yield str(links[0])
            assert "hello-world" in _text(log)

    @contextmanager
    def _running(self, *words: str) -> Generator[Path]:
        """Run a program until the block ends, then press Ctrl-C. Yields the file with its output."""
        log = self._log.with_suffix(f".{words[1]}.log")
        with log.open("wb") as output:
            process = spawn(words, env=self._environment.variables, cwd=self._folder, output=output)
        try:
            yield log
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, _text(log)
        except BaseException:
            print(_text(log))
            raise
        finally:
            kill_group(process)


@contextmanager
def _visit(browser: Browser) -> Generator[Visit]:
    visit = Visit(browser, 1280)
    try:
        yield visit
    finally:
        visit.close()


def _see_completed(visit: Visit) -> None:
    visit.page.wait_for_selector("#summary [data-status=COMPLETED]", timeout=60_000)
    assert "Hello, Ada!" in visit.page.inner_text("main")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _origin(link: str) -> str:
    return link.partition("/signin")[0]


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""
