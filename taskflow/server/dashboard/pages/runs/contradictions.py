"""Filters of which no run can match two: a sentence that says so, instead of an empty list."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.models import RunStatus
from taskflow.server.dashboard.view.statuses import WORDS


def contradiction(params: Mapping[str, Sequence[str]], where: RunFilter) -> str:
    """Return why no run can match, "" if one could.

    Args:
        params: The parameters of the address.
        where: Their filter.
    """
    if where.tasks and not set(where.tasks) - set(where.not_tasks):
        return f"Task is {' or '.join(where.tasks)} and Task is not {' or '.join(where.not_tasks)} exclude each other."
    if "error" in params and where.statuses and all(_has_no_error(status) for status in where.statuses):
        words = " or ".join(WORDS[status] for status in where.statuses)
        return f"Status is {words} and Error has {params['error'][0]} exclude each other: such a run has no error."
    if where.is_root and (where.parent or where.root):
        return "Without a parent and Parent or Root exclude each other."
    if where.schedule and (where.parent or where.root):
        return "Schedule and Parent or Root exclude each other: a schedule's runs have no parent."
    if where.created_from and where.created_to and where.created_from >= where.created_to:
        return "From and Until exclude each other: From is not before Until."
    if where.created_from and where.created_from > datetime.now(UTC):
        return "From is in the future."
    return ""


def _has_no_error(status: RunStatus) -> bool:
    return status is RunStatus.COMPLETED or not status.is_finished
