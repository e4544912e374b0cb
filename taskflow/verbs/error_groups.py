"""``error_groups``: failures grouped by what broke, as the history has them, and what people say about a group."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.queue import check_reason
from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError
from taskflow.seams.error_groups import ErrorGroup, ErrorState
from taskflow.texts import is_encodable
from taskflow.verbs.current import engine
from taskflow.verbs.kinds.declared import DeclaredTask

LONGEST_VERSION: Final = 200
_LONGEST: Final = timedelta(days=3650)
_MONTH: Final = timedelta(days=30)


class ErrorGroups:
    """Groups of errors by id. Failures of one type, one message without its numbers, and one place are one group.

    They are kept in the history: without one there are none.
    """

    def list(
        self,
        *,
        period: Duration = timedelta(days=1),
        state: ErrorState | str | None = None,
        task: str | DeclaredTask | None = None,
    ) -> Sequence[ErrorGroup]:
        """Return the groups that failed in a period up to now, the newest failure first, at most 500.

        Args:
            period: Its counts are of this time.
            state: Only those in this state: "open", "muted" or "resolved".
            task: Only those with failures of this task.

        Raises:
            DefinitionError: The period is not possible, or there is no such state.
            HistoryUnavailableError: The history's database did not answer.
        """
        refuse_in_event_loop("error_groups.list", "error_groups.alist")
        since, until = _period(period)
        return _wanted(engine().errors.list(since, until), _state(state), task)

    async def alist(
        self,
        *,
        period: Duration = timedelta(days=1),
        state: ErrorState | str | None = None,
        task: str | DeclaredTask | None = None,
    ) -> Sequence[ErrorGroup]:
        """Return the groups that failed in a period. See ``list``."""
        since, until = _period(period)
        wanted = _state(state)
        return _wanted(await engine().errors.alist(since, until), wanted, task)

    def retrieve(self, group_id: str, *, period: Duration = _MONTH) -> ErrorGroup:
        """Return a group, with its counts of a period up to now.

        Raises:
            ErrorGroupNotFoundError: No such group.
            HistoryUnavailableError: The history's database did not answer.
        """
        refuse_in_event_loop("error_groups.retrieve", "error_groups.aretrieve")
        return engine().errors.retrieve(group_id, *_period(period))

    async def aretrieve(self, group_id: str, *, period: Duration = _MONTH) -> ErrorGroup:
        """Return a group. See ``retrieve``."""
        return await engine().errors.aretrieve(group_id, *_period(period))

    def mute(self, group_id: str, *, reason: str = "") -> None:
        """Mute a group: it counts on, and nobody is alerted.

        Args:
            reason: Kept with who did it, at most 500 characters.

        Raises:
            ErrorGroupNotFoundError: No such group.
            DefinitionError: The reason is too long, or no text that can be stored.
            HistoryUnavailableError: The history's database did not answer. Nothing has changed.
        """
        refuse_in_event_loop("error_groups.mute", "error_groups.amute")
        engine().errors.change(group_id, ErrorState.MUTED, None, check_reason(reason))

    async def amute(self, group_id: str, *, reason: str = "") -> None:
        """Mute a group. See ``mute``."""
        await engine().errors.achange(group_id, ErrorState.MUTED, None, check_reason(reason))

    def resolve(self, group_id: str, *, version: str | None = None, reason: str = "") -> None:
        """Resolve a group. It comes back, and alerts again, when it fails once more.

        Args:
            version: The version that has the error no more. Failures of versions that had it before leave the group
                resolved.

        Raises:
            ErrorGroupNotFoundError: No such group.
            DefinitionError: The version or the reason is too long, or no text that can be stored.
            HistoryUnavailableError: The history's database did not answer. Nothing has changed.
        """
        refuse_in_event_loop("error_groups.resolve", "error_groups.aresolve")
        engine().errors.change(group_id, ErrorState.RESOLVED, _version(version), check_reason(reason))

    async def aresolve(self, group_id: str, *, version: str | None = None, reason: str = "") -> None:
        """Resolve a group. See ``resolve``."""
        await engine().errors.achange(group_id, ErrorState.RESOLVED, _version(version), check_reason(reason))

    def reopen(self, group_id: str, *, reason: str = "") -> None:
        """Open a group again that was muted or resolved.

        Raises:
            ErrorGroupNotFoundError: No such group.
            HistoryUnavailableError: The history's database did not answer. Nothing has changed.
        """
        refuse_in_event_loop("error_groups.reopen", "error_groups.areopen")
        engine().errors.change(group_id, ErrorState.OPEN, None, check_reason(reason))

    async def areopen(self, group_id: str, *, reason: str = "") -> None:
        """Open a group again. See ``reopen``."""
        await engine().errors.achange(group_id, ErrorState.OPEN, None, check_reason(reason))


def _period(period: Duration) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - min(parse_duration(period, option="period"), _LONGEST), now


def _state(state: ErrorState | str | None) -> ErrorState | None:
    if state is None:
        return None
    if state not in list(ErrorState):
        remedy = f"Give one of {', '.join(ErrorState)}."
        raise DefinitionError("There is no such state", option="state", value=state, remedy=remedy)
    return ErrorState(state)


def _version(version: object) -> str | None:
    if version is None:
        return None
    if not isinstance(version, str) or not is_encodable(version) or not 0 < len(version) <= LONGEST_VERSION:
        remedy = f"Give a text of 1 to {LONGEST_VERSION} characters."
        raise DefinitionError("That version is not possible", option="version", value=version, remedy=remedy)
    return version


def _wanted(
    groups: Sequence[ErrorGroup], state: ErrorState | None, task: str | DeclaredTask | None
) -> Sequence[ErrorGroup]:
    task_id = task.definition.id if isinstance(task, DeclaredTask) else task
    return [
        group
        for group in groups
        if (state is None or group.state is state) and (task_id is None or task_id in group.tasks)
    ]


error_groups: Final = ErrorGroups()
