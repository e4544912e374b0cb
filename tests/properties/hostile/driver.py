"""Drives cases against real nodes and judges what became of them.

A call is refused with an error of ours before anything is written, or its run ends with the attempts that it may have,
and can be read back in every way. Runs beside it complete, on the nodes that were there before.
"""

import contextlib
import json
import math
import re
import time
import unicodedata
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Final

from typer.testing import CliRunner

from taskflow import Run, RunFailedError, RunStatus, StoreScriptError, StoreUnavailableError, TaskflowError, runs, wait
from taskflow.cli.main import app as application
from taskflow.history.database import Database
from taskflow.history.reader import Reader
from tests.properties.hostile import tasks as hostile
from tests.properties.hostile.cases import NOTHING, Called, Case, call, send_message
from tests.support.fleet import TASKS, Fleet
from tests.support.processes import tail

MODULE: Final = hostile.__name__
S: Final = 30.0
_MOST_LISTED: Final = 1000
_ALARM: Final = re.compile(
    r"(WARNING|ERROR|CRITICAL).*(child\.(ended|killed)|node\.lost|run\.(unsent|lost|unreported))"
    r"|history\.(set_aside|failed)|Unrecoverable|NodeFailed"
)
"""Log lines by which a node says that something else than a run has failed."""


class Driver:
    """One environment with a node of each executor, and the findings so far."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        modules = f"{TASKS},{MODULE}"
        self._nodes = [fleet.start_node(executor=executor, TASKFLOW_TASKS=modules) for executor in ("process", "async")]
        self._known: set[str] = set()
        self.findings: list[str] = []
        self.calls = self.refused = self.runs = 0
        self._reader = Reader(Database(_database_url(fleet)), fleet.environment)
        self._neighbors("the start")
        self._alarms = 0

    def drive(self, cases: Sequence[Case]) -> None:
        """Make the calls of some cases at the same time, and judge them."""
        made: list[tuple[Case, Called]] = []
        for case in cases:
            self.calls += 1
            called = self._called(case)
            if called is None:
                self.refused += 1
            elif called.run_id is not None:
                made.append((case, called))
        self._neighbors("the calls")
        for case, called in made:
            with self._judged(case):
                self._end(case, called)
        self._look(made)
        self._same_nodes()

    def _called(self, case: Case) -> Called | None:
        """Return what became of a call, None if it was refused."""
        try:
            if case.place == "message":
                return Called(send_message(self._fleet, case), attempts=1)
            return call(case)
        except (StoreUnavailableError, StoreScriptError) as failed:
            self._find(case, f"the store failed: {_text(failed)}")
        except TaskflowError as refused:
            with self._judged(case):
                str(refused).encode()  # it can be printed
        except Exception as error:  # noqa: BLE001 - the finding
            if case.place != "message" and not _is_the_values(error):
                self._find(case, f"raised {type(error).__name__}: {_text(error)}")
        return None

    def _end(self, case: Case, called: Called) -> None:
        """Wait for the end of a run, and judge its record."""
        run_id = str(called.run_id)
        self.runs += 1
        is_over = partial(_is_over, run_id)
        if not _within(is_over, 1.0 if called.may_wait else S) and called.may_wait:
            runs.cancel(run_id)
        assert _within(is_over, S), f"the run stays {runs.retrieve(run_id).status}"
        run = runs.retrieve(run_id)
        assert len(run.attempts) <= called.attempts, f"{len(run.attempts)} attempts"
        assert run.status not in (RunStatus.SYSTEM_FAILURE, RunStatus.CRASHED), f"{run.status}: {run.error}"
        if run.status is RunStatus.COMPLETED and called.expected is not NOTHING:
            assert _is_same(run.output, called.expected), f"arrived as {_text(run.output)}"
        _printable(run)
        self._ask_others(run)

    def _ask_others(self, run: Run) -> None:
        """Ask for the end of a run as callers do, in our way and in Celery's."""
        try:
            json.dumps(runs.handle(run.id).result(timeout=S))
        except RunFailedError as failed:
            str(failed).encode()
        celery: Any = self._fleet.flow.celery
        sent = celery.AsyncResult(run.id)
        assert sent.ready()
        f"{sent.result!r} {sent.traceback}".encode()
        assert [each.status for each in runs.subscribe(run.id)][-1] is run.status

    def _look(self, made: Sequence[tuple[Case, Called]]) -> None:
        """Read the runs back in every way."""
        ids = {str(called.run_id) for _, called in made} - self._known  # a key may name an older run
        self._known |= ids
        listed = {run.id for run in runs.list(_MOST_LISTED)}
        if missing := ids - listed:
            self.findings.append(f"runs.list lacks {missing}")
        wait.list_tokens(limit=_MOST_LISTED)
        for case, called in made:
            run_id = str(called.run_id)
            with self._judged(case):
                for line in runs.logs(run_id):
                    f"{line.message} {line.fields}".encode()
                for words in (["get", run_id, "--json"], ["get", run_id], ["logs", run_id]):
                    if not run_id.startswith("-"):
                        self._command(*words)
                list(hostile.ITEMS.read(run_id, timeout=1))
                in_history = partial(self._in_history, run_id)
                assert _within(in_history, S), "the history does not have it"
        for words in (["list", "--limit", "50"], ["list", "--limit", "50", "--json"]):
            with self._judged(Case("command", {"value": words}, 0)):
                self._command(*words)

    def _in_history(self, run_id: str) -> bool:
        run = self._reader.retrieve(run_id)
        if run is not None:
            _printable(run)
            self._reader.events(run_id)
        return run is not None and run.is_finished

    def _command(self, *words: str) -> None:
        result = CliRunner().invoke(application, ["runs", *words, "-A", MODULE])
        assert result.exit_code == 0, f"taskflow runs {words}: {result.exception!r}"
        odd = {each for each in result.output if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
        assert not odd, f"taskflow runs {words} prints {odd!r}"

    def _neighbors(self, when: str) -> None:
        """Execute ordinary runs, one of each executor."""
        for task in (hostile.echo, hostile.async_echo):
            try:
                assert task.trigger({"at": when}).result(timeout=S) == {"at": when}
            except (TaskflowError, AssertionError) as error:
                self.findings.append(f"an ordinary run of {task.definition.id} beside {when}: {_text(error)}")

    def _same_nodes(self) -> None:
        """Look whether the nodes are those of the start, and whether they had to mend something."""
        for node in self._nodes:
            if node.process.poll() is not None:
                self.findings.append(f"node {node.name} ended: {tail(node.log)}")
        alarms = [line for node in self._nodes for line in node.output().splitlines() if self._is_alarm(line)]
        self.findings += [f"a node says: {line:.500}{_named(line)}" for line in alarms[self._alarms :]]
        self._alarms = len(alarms)

    def _is_alarm(self, line: str) -> bool:
        """Whether a node says that something else than a run has failed. A cancel ends the child of its run."""
        if not _ALARM.search(line):
            return False
        named = re.search(r"run_[0-9a-f]{33}", line)
        return named is None or runs.handle(named.group()).status() is not RunStatus.CANCELED

    @contextlib.contextmanager
    def _judged(self, case: Case) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the finding
            self._find(case, f"{type(error).__name__}: {_text(error)}")

    def _find(self, case: Case, what: str) -> None:
        self.findings.append(f"{case!r}: {what:.600}")


def _database_url(fleet: Fleet) -> Any:
    from taskflow.history.database import database_url

    return database_url(fleet.flow.settings)


def _within(is_done: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _is_over(run_id: str) -> bool:
    try:
        return runs.handle(run_id).status().is_finished
    except LookupError:  # the message is on its way
        return False


def _printable(run: Run) -> None:
    """Write a run as JSON: whatever is in it can be read, and shown."""
    json.dumps([run.payload, run.output, run.metadata])
    f"{run.error} {run.hook_errors} {run.tags} {run.concurrency_key} {run.idempotency_key}".encode()


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return one == other


def _is_the_values(error: Exception) -> bool:
    """Whether an error is what the value's own code has raised, at the caller, before anything was written."""
    return "the value's own code fails" in _text(error) or "detached" in _text(error)


def _text(value: object) -> str:
    try:
        return f"{value!r:.300}".encode("ascii", "backslashreplace").decode()
    except Exception:  # noqa: BLE001 - an error that can't be shown
        return type(value).__name__


def _named(line: str) -> str:
    """Return the run that a log line names."""
    named = re.search(r"run_[0-9a-f]{33}", line)
    run = runs.retrieve(named.group()) if named else None
    return f" ({run.task_id} {run.status} {_text(run.payload)} {run.error and run.error.message})" if run else ""
