"""Schedules over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.schedule import Schedule, SchedulePage
from taskflow.errors import ScheduleNotFoundError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, id_segment, post
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.seams.record_documents import record_of


class HttpSchedules:
    """Schedules by id."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def create(self, task_id: str, options: ScheduleOptions) -> Schedule:
        """Make a schedule, or change the one with the same deduplication key."""
        return self._connection.send(_create(task_id, options))

    async def acreate(self, task_id: str, options: ScheduleOptions) -> Schedule:
        """Make a schedule, or change the one with the same deduplication key."""
        return await self._aconnection.send(_create(task_id, options))

    def retrieve(self, schedule_id: str) -> Schedule:
        """Return a schedule."""
        return self._connection.send(get(_path(schedule_id), _schedule))

    async def aretrieve(self, schedule_id: str) -> Schedule:
        """Return a schedule."""
        return await self._aconnection.send(get(_path(schedule_id), _schedule))

    def list(self, page: int, per_page: int, task_id: str | None = None) -> SchedulePage:
        """Return a page of schedules."""
        return self._connection.send(_list(page, per_page, task_id))

    async def alist(self, page: int, per_page: int, task_id: str | None = None) -> SchedulePage:
        """Return a page of schedules."""
        return await self._aconnection.send(_list(page, per_page, task_id))

    def update(self, schedule_id: str, changes: Mapping[str, object], task_id: str | None = None) -> Schedule:
        """Change a schedule."""
        return self._connection.send(_update(schedule_id, changes, task_id))

    async def aupdate(self, schedule_id: str, changes: Mapping[str, object], task_id: str | None = None) -> Schedule:
        """Change a schedule."""
        return await self._aconnection.send(_update(schedule_id, changes, task_id))

    def activate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire again."""
        return self._connection.send(post(_path(schedule_id, "activate"), _schedule))

    async def aactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire again."""
        return await self._aconnection.send(post(_path(schedule_id, "activate"), _schedule))

    def deactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire no more, until it is activated."""
        return self._connection.send(post(_path(schedule_id, "deactivate"), _schedule))

    async def adeactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire no more, until it is activated."""
        return await self._aconnection.send(post(_path(schedule_id, "deactivate"), _schedule))

    def delete(self, schedule_id: str) -> None:
        """Delete a schedule. Its runs stay."""
        self._connection.send(post(_path(schedule_id, "delete"), _nothing))

    async def adelete(self, schedule_id: str) -> None:
        """Delete a schedule. Its runs stay."""
        await self._aconnection.send(post(_path(schedule_id, "delete"), _nothing))

    def run_now(self, schedule_id: str) -> str:
        """Make a run now and return its id."""
        return self._connection.send(_run_now(schedule_id))

    async def arun_now(self, schedule_id: str) -> str:
        """Make a run now and return its id."""
        return await self._aconnection.send(_run_now(schedule_id))


def _create(task_id: str, options: ScheduleOptions) -> ApiRequest[Schedule]:
    given = _seconds({name: value for name, value in asdict(options).items() if value is not None})
    is_repeatable = options.deduplication_key is not None
    return post(f"{PREFIX}/schedules", _schedule, {"task": task_id, "options": given}, is_repeatable=is_repeatable)


def _update(schedule_id: str, changes: Mapping[str, object], task_id: str | None) -> ApiRequest[Schedule]:
    return post(_path(schedule_id, "update"), _schedule, {"task": task_id, "options": _seconds(changes)})


def _run_now(schedule_id: str) -> ApiRequest[str]:
    return post(_path(schedule_id, "run-now"), lambda document: str(document["id"]))


def _list(page: int, per_page: int, task_id: str | None) -> ApiRequest[SchedulePage]:
    def read(document: Any) -> SchedulePage:
        return SchedulePage(tuple(map(_schedule, document["schedules"])), int(document["total"]), page, per_page)

    return get(f"{PREFIX}/schedules", read, page=str(page), per_page=str(per_page), task=task_id)


def _seconds(options: Mapping[str, object]) -> dict[str, object]:
    """Return options with durations as seconds, and instants as text."""
    return {name: _written(value) for name, value in options.items()}


def _written(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else value


def _schedule(document: Any) -> Schedule:
    schedule = record_of(Schedule, document)
    if isinstance(schedule.jitter, str) and schedule.jitter.startswith("P"):  # a duration; the text is a percentage
        return replace(schedule, jitter=_DURATION.validate_python(schedule.jitter))
    return schedule


_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def _path(schedule_id: str, *more: str) -> str:
    return "/".join((PREFIX, "schedules", id_segment(schedule_id, ScheduleNotFoundError), *more))


def _nothing(_: Any) -> None:
    return None
