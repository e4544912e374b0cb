"""A second run for the few tests that a busy machine failed: a pytest plugin, on with ``-p tests.support.second_run``.

When at most three tests failed, and all of them are of the kinds that start processes, each is executed again: alone,
in a pytest of its own, three times. The run passes only if all of these pass. Each such test is a defect to find, so
that the last lines name it (``FLAKY: <test id>``) and the closing line counts it ("2937 passed, 2 flaky in 420.00s").

Every other failure ends the run as it is: a test of another kind, a fourth failure, an error of the collection, a
worker that crashed, an interrupt.
"""

import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

KINDS = {"integration", "faults", "history", "deploy"}
MOST_TESTS = 3
TIMES = 3
SECONDS = 600
"""Longer than the time limit of any test and the deadlines of its fixtures."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin, except in a worker of a parallel run, which sees a part of the tests only."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SecondRun(config))


def again_if(reports: list[Any]) -> list[str] | None:
    """Return the tests to run again, or None when the failures do not allow a second run.

    Args:
        reports: All failures: of a setup, a call or a teardown, of the collection, or of a worker that crashed.
    """
    tests: list[str] = []
    for report in reports:
        if not isinstance(report, pytest.TestReport) or report.when not in ("setup", "call", "teardown"):
            return None
        folders = report.nodeid.split("::")[0].split("/")
        if folders[0] != "tests" or folders[1] not in KINDS:
            return None
        if report.nodeid not in tests:
            tests.append(report.nodeid)
    return tests if 0 < len(tests) <= MOST_TESTS else None


class SecondRun:
    """The second run of one session, between pytest's report of the failures and its closing line."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, which has the exit code."""
        self._session = session

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """Count a worker that crashed as an error, because one that crashed between two tests fails none of them."""
        if error:
            worker = f"worker {node.gateway.id}"
            report = pytest.TestReport(worker, (worker, None, worker), {}, "failed", f"it crashed: {error}", "setup")
            self._config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> Generator[None]:
        """Run the tests again when the failures allow it; pass if all pass."""
        yield
        session, stats = self._session, terminalreporter.stats
        assert session is not None
        if exitstatus != pytest.ExitCode.TESTS_FAILED or session.shouldfail or session.shouldstop:
            return
        tests = again_if([*stats.get("failed", []), *stats.get("error", [])])
        if tests is None:
            return
        terminalreporter.section("second run")
        if all(self._passes(test, number, terminalreporter) for test in tests for number in range(1, TIMES + 1)):
            count_as_flaky(tests, terminalreporter)
            session.exitstatus = pytest.ExitCode.OK
            for test in tests:
                terminalreporter.write_line(f"FLAKY: {test}", yellow=True)

    def _passes(self, test: str, number: int, reporter: pytest.TerminalReporter) -> bool:
        """Execute one test alone. A skip is not a pass."""
        root, file = self._config.rootpath, self._config.inipath
        argv = [sys.executable, "-m", "pytest", "--rootdir", str(root), *configuration(file), test]
        try:
            done = subprocess.run(
                argv,
                cwd=root,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            reporter.write_line(f"{test} {number}/{TIMES}: no end within {SECONDS} s", red=True)
            return False
        closing = (done.stdout.splitlines() or [""])[-1].strip("= ")
        is_passed = done.returncode == 0 and re.search(r"\b1 passed\b", closing) is not None
        reporter.write_line(f"{test} {number}/{TIMES}: {closing}", green=is_passed, red=not is_passed)
        if not is_passed:
            reporter.write_line(done.stdout)
        return is_passed


def configuration(file: Path | None) -> list[str]:
    """Return the option that names the first run's configuration file."""
    return [] if file is None else ["-c", str(file)]


def count_as_flaky(tests: list[str], reporter: pytest.TerminalReporter) -> None:
    """Count each test once, and not as passed too: a teardown may have failed after a call that passed."""
    stats = reporter.stats
    reports = [*stats.pop("failed", []), *stats.pop("error", [])]
    if "passed" in stats:
        stats["passed"] = [report for report in stats["passed"] if report.nodeid not in tests]
    first = {report.nodeid: report for report in reversed(reports)}
    reporter._add_stats("flaky", [first[test] for test in tests])  # pyright: ignore[reportPrivateUsage] # no public way
