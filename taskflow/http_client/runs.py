"""Runs over HTTP, and the journals of durable ones."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

from taskflow.definition.calls.bulk import BulkAction, BulkKind, OnProgress
from taskflow.definition.calls.run_filter import ALL_RUNS, RunField, RunFilter, RunPage
from taskflow.definition.calls.task_result import run_failed
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.foreign_task import NamedTasks
from taskflow.definition.machine import MachineSpec
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import NotOverHttpError, RunNotFoundError
from taskflow.http_client.bulk import bulk_steps
from taskflow.http_client.changes import changes, changes_async
from taskflow.http_client.ends import EndsOfRuns
from taskflow.http_client.payloads import payload_document
from taskflow.http_client.run_filters import filter_text
from taskflow.http_client.run_options import instant_or_seconds, run_options
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, id_segment, post, segment
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.models import Run, RunStatus
from taskflow.seams.batches import RunEnd
from taskflow.seams.engine import PlannedRun, Triggered
from taskflow.seams.record_documents import run_of
from taskflow.seams.steps import adrive_steps, drive_steps
from taskflow.seams.waits import Waiter


class HttpRuns:
    """Runs by id, and many runs at a time. Each verb is one description, sent by two shells."""

    def __init__(
        self,
        connection: Connection,
        aconnection: AsyncConnection,
        ends: EndsOfRuns,
        tasks: NamedTasks,
        presets: Mapping[str, MachineSpec],
        payload_limit: int,
    ) -> None:
        self._connection, self._aconnection, self._ends = connection, aconnection, ends
        self._tasks, self._presets, self._payload_limit = tasks, presets, payload_limit

    def trigger(
        self, task: TaskDefinition | str, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> Triggered:
        """Make a run of a task, given by its definition or its id."""
        return self._connection.send(self._trigger(task, payload, options, waiter))

    def plan(self, task: TaskDefinition | str, payload: object, options: TriggerOptions) -> PlannedRun:
        """Refuse to plan a run: its id is made by the server, which cannot know of the transaction."""
        raise NotOverHttpError("trigger(on_commit=True)", self._connection.address.url)

    async def atrigger(
        self, task: TaskDefinition | str, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> Triggered:
        """Make a run of a task, given by its definition or its id."""
        return await self._aconnection.send(self._trigger(task, payload, options, waiter))

    def status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return self._connection.send(_status(run_id))

    async def astatus(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return await self._aconnection.send(_status(run_id))

    def retrieve(self, run_id: str) -> Run:
        """Return a run's record."""
        return self._connection.send(_retrieve(run_id))

    async def aretrieve(self, run_id: str) -> Run:
        """Return a run's record."""
        return await self._aconnection.send(_retrieve(run_id))

    def output(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        return _output(run_id, self._ends.wait([run_id], timeout)[0])

    async def aoutput(self, run_id: str, timeout: timedelta | None) -> bytes:
        """Return a run's output JSON once it has completed."""
        return _output(run_id, (await self._ends.await_([run_id], timeout))[0])

    def cancel(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had already ended."""
        return self._connection.send(_cancel(run_id))

    async def acancel(self, run_id: str) -> bool:
        """Cancel a run. Returns False when it had already ended."""
        return await self._aconnection.send(_cancel(run_id))

    def replay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        return self._connection.send(_replay(run_id))

    async def areplay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        return await self._aconnection.send(_replay(run_id))

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Move the start of a delayed run and return the new instant."""
        return self._connection.send(_reschedule(run_id, due))

    async def areschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Move the start of a delayed run and return the new instant."""
        return await self._aconnection.send(_reschedule(run_id, due))

    def add_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run. Returns how many were ignored because a run has at most ten."""
        return self._connection.send(_add_tags(run_id, tags))

    async def aadd_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run. See ``add_tags``."""
        return await self._aconnection.send(_add_tags(run_id, tags))

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is now, and after every change."""
        return changes(self._connection, run_id)

    def asubscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is now, and after every change."""
        return changes_async(self._aconnection, run_id)

    def list(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        return self._connection.send(_list(limit, wanted, cursor))

    async def alist(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs, newest first."""
        return await self._aconnection.send(_list(limit, wanted, cursor))

    def find(self, where: RunFilter) -> Sequence[Run]:
        """Return all runs that match a filter, newest first, without payload, output and attempts."""
        return self._connection.send(_find(where))

    def known_children(self, run_id: str) -> dict[str, RunStatus]:
        """Return the newest 100 runs that a run has triggered."""
        return {run.id: run.status for run in self.list(100, RunFilter(parent=run_id))}

    def count(self, by: Sequence[RunField], where: RunFilter) -> dict[tuple[str, ...], int]:
        """Return how many runs have each combination of the values of some fields."""
        return self._connection.send(_count(by, where))

    async def acount(self, by: Sequence[RunField], where: RunFilter) -> dict[tuple[str, ...], int]:
        """Return how many runs have each combination of the values of some fields."""
        return await self._aconnection.send(_count(by, where))

    def bulk(self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None) -> BulkAction:
        """Cancel or replay runs, part by part."""
        return drive_steps(self._connection.send, bulk_steps(kind, selected, on_progress, _find))

    async def abulk(
        self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None
    ) -> BulkAction:
        """Cancel or replay runs, part by part."""
        return await adrive_steps(self._aconnection.send, bulk_steps(kind, selected, on_progress, _find))

    def _trigger(
        self, task: TaskDefinition | str, payload: object, options: TriggerOptions, waiter: Waiter | None
    ) -> ApiRequest[Triggered]:
        if waiter is not None:
            raise NotOverHttpError("trigger_and_wait", self._connection.address.url)
        definition = self._tasks.task(task) if isinstance(task, str) else task
        document = payload_document(definition, payload, self._payload_limit)
        options_document = to_json(run_options(options, self._presets))
        return ApiRequest(
            method="POST",
            path=f"/api/v1/tasks/{segment(definition.id)}/trigger",
            read=lambda answer: _triggered(answer.document()),
            body=b'{"payload":%b,"options":%b}' % (document, options_document),
            is_write=True,
        )


class HttpJournals:
    """Journals of durable runs over HTTP."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def resume(self, run_id: str, step: str | None) -> RunStatus:
        """Let a run that waits for other code go on from a step. Returns its status."""
        return self._connection.send(_resume(run_id, step))

    async def aresume(self, run_id: str, step: str | None) -> RunStatus:
        """Let a run that waits for other code go on from a step. Returns its status."""
        return await self._aconnection.send(_resume(run_id, step))

    def replay(self, run_id: str, step: str | None) -> str:
        """Make a run like another one that goes on from what that one has done, or from a step. Returns its id."""
        return self._connection.send(_replay(run_id, keep_journal=True, step=step))

    async def areplay(self, run_id: str, step: str | None) -> str:
        """Make a run like another one that goes on from what that one has done, or from a step. Returns its id."""
        return await self._aconnection.send(_replay(run_id, keep_journal=True, step=step))


def _path(run_id: str, *more: str) -> str:
    return "/".join((PREFIX, "runs", id_segment(run_id, RunNotFoundError), *more))


def _triggered(document: Any) -> Triggered:
    return Triggered(str(document["id"]), bool(document["isCached"]))


def _status(run_id: str) -> ApiRequest[RunStatus]:
    return get(_path(run_id, "status"), lambda document: RunStatus(document["status"]))


def _retrieve(run_id: str) -> ApiRequest[Run]:
    return get(_path(run_id), run_of)


def _output(run_id: str, end: RunEnd) -> bytes:
    status, output, error = end
    if status is not RunStatus.COMPLETED:
        raise run_failed(run_id, status, error)
    return output or b"null"


def _cancel(run_id: str) -> ApiRequest[bool]:
    return post(_path(run_id, "cancel"), lambda document: bool(document["canceled"]))


def _replay(run_id: str, *, keep_journal: bool = False, step: str | None = None) -> ApiRequest[str]:
    body = {"keep_journal": keep_journal, "step": step}
    has_journal = keep_journal or step is not None
    return post(_path(run_id, "replay"), lambda document: str(document["id"]), body, is_repeatable=not has_journal)


def _resume(run_id: str, step: str | None) -> ApiRequest[RunStatus]:
    return post(_path(run_id, "resume"), lambda document: RunStatus(document["status"]), {"step": step})


def _reschedule(run_id: str, due: datetime | timedelta) -> ApiRequest[datetime]:
    body = {"delay": instant_or_seconds(due)}
    return post(_path(run_id, "reschedule"), lambda document: datetime.fromisoformat(document["due_at"]), body)


def _add_tags(run_id: str, tags: Sequence[str]) -> ApiRequest[int]:
    return post(_path(run_id, "tags"), lambda document: int(document["ignored"]), {"tags": tags})


def _list(limit: int, wanted: RunFilter, cursor: str | None) -> ApiRequest[RunPage]:
    def read(document: Any) -> RunPage:
        return RunPage(tuple(map(run_of, document["runs"])), document["cursor"])

    return get(f"{PREFIX}/runs", read, limit=str(limit), where=filter_text(wanted), cursor=cursor)


def _find(where: RunFilter) -> ApiRequest[Sequence[Run]]:
    def read(document: Any) -> Sequence[Run]:
        return [run_of(each) for each in document["runs"]]

    return get(f"{PREFIX}/run-search", read, where=filter_text(where))


def _count(by: Sequence[RunField], where: RunFilter) -> ApiRequest[dict[tuple[str, ...], int]]:
    def read(document: Any) -> dict[tuple[str, ...], int]:
        return {tuple(each["values"]): int(each["count"]) for each in document["counts"]}

    return get(f"{PREFIX}/run-counts", read, by=",".join(by), where=filter_text(where))
