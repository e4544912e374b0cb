"""Turn a filter into one statement that reads as many index entries as it returns runs, or little more.

A filter with several values is a union of one limited query a value: sorting everything that has any of them would
read all of it. Tags and errors have tables of their own, whose indexes end in the runs' order, too.
"""

import base64
import binascii
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Text, case, column, func, not_, select, table, tuple_, union
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import CTE

from taskflow.definition.calls.run_filter import RunField, RunFilter
from taskflow.errors import RunFilterError
from taskflow.history.rows import clean
from taskflow.history.writer import ERRORS, RUNS, TAGS
from taskflow.models import RunStatus
from taskflow.store.operations.encoding import first_millisecond

Condition = ColumnElement[bool]
LISTED: Final = tuple(name for name in RUNS.c.keys() if name not in ("payload", "output", "metadata"))  # noqa: SIM118
SHORT_OUTPUT: Final = case((func.length(RUNS.c.output) <= 1000, RUNS.c.output)).label("output")
"""An output as lists of people show it; NULL for a longer one."""
MOST_BRANCHES: Final = 100
RARE: Final = 2000
TRIGRAM: Final = 3
_LARGEST: Final = (1 << 63) - 1
_trigrams = table("taskflow_error_trigrams", column("rowid"), column("text"))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of the last run of a page. ``is_before``: what is just before it is read, in reverse order."""

    created: int
    id: str
    is_before: bool = False

    def text(self) -> str:
        """Return it as users pass it on."""
        return base64.urlsafe_b64encode(json.dumps([self.created, self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Return the cursor of a text.

        Raises:
            RunFilterError: It is not one that a page gave.
        """
        try:
            created, run_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(min(max(int(created), -_LARGEST), _LARGEST), clean(str(run_id)))
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            raise RunFilterError("cursor", text, "Pass the cursor of the page before, unchanged.") from None


@dataclass(frozen=True, slots=True)
class _Values:
    """One value of each condition that may have several."""

    status: RunStatus | None
    task: str | None
    tag: str | None


def listing(
    environment: str, wanted: RunFilter, limit: int, after: Cursor | None, *, is_error_rare: bool
) -> Select[Any]:
    """Return the statement of up to ``limit`` runs.

    Args:
        is_error_rare: Few runs have the text in their error, so that all of them are read by the trigram index of
            SQLite and sorted. PostgreSQL plans that by itself.
    """
    branches = [
        _branch(environment, wanted, values, limit, after, is_error_rare=is_error_rare) for values in _values(wanted)
    ]
    columns = [RUNS.c[name] for name in LISTED]
    if len(branches) == 1:
        keys = branches[0].subquery("found")
    else:
        keys = union(*(select(branch.subquery()) for branch in branches)).subquery("found")
    order = _order(keys.c.created, keys.c.id, after)
    newest = select(keys).order_by(*order).limit(limit).subquery("newest")
    return (
        select(*columns)
        .join_from(newest, RUNS, RUNS.c.id == newest.c.id)
        .order_by(*_order(newest.c.created, newest.c.id, after))
    )


def counting(environment: str, wanted: RunFilter, by: Sequence[RunField]) -> Select[Any]:
    """Return the statement that counts runs by the values of some fields: the values, then the number."""
    columns = [RUNS.c["task_id" if field == "task" else field] for field in by]
    conditions = [RUNS.c.environment == environment, *_attributes(RUNS.c, wanted, _Values(None, None, None), tag=None)]
    if wanted.statuses:
        conditions.append(RUNS.c.status.in_([status.value for status in wanted.statuses]))
    if wanted.tasks:
        conditions.append(RUNS.c.task_id.in_(map(clean, wanted.tasks)))
    if wanted.tags:
        tagged = select(TAGS.c.tag).where(TAGS.c.run_id == RUNS.c.id, TAGS.c.tag.in_(map(clean, wanted.tags)))
        conditions.append(tagged.exists())
    if wanted.error is not None or wanted.fingerprint is not None:
        found = select(ERRORS.c.run_id).where(ERRORS.c.run_id == RUNS.c.id, *_failed(wanted))
        conditions.append(found.exists())
    if wanted.created_from is not None:
        conditions.append(RUNS.c.created >= first_millisecond(wanted.created_from))
    if wanted.created_to is not None:
        conditions.append(RUNS.c.created < first_millisecond(wanted.created_to))
    return select(*columns, func.count()).where(*conditions).group_by(*columns)


def is_rare(connection: Connection, error: str | None) -> bool:
    """Whether SQLite's trigram index finds at most 2,000 runs with a text of at least three letters in their error."""
    if error is None or connection.dialect.name != "sqlite" or len(needle(error)) < TRIGRAM:
        return False
    rows = connection.execute(select(_trigrams.c.rowid).where(_matches(error)).limit(RARE + 1)).all()
    return len(rows) <= RARE


def explain(connection: Connection, statement: Select[Any]) -> list[str]:
    """Return the lines of the database's plan for a statement."""
    words = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
    return [str(row[-1]) for row in connection.exec_driver_sql(f"{words} {compiled}")]


def needle(text: str) -> str:
    """Return a searched text as the index has it."""
    return clean(text).lower()


def _values(wanted: RunFilter) -> list[_Values]:
    statuses: Sequence[RunStatus | None] = wanted.statuses or (None,)
    tasks: Sequence[str | None] = wanted.tasks or (None,)
    tags: Sequence[str | None] = wanted.tags or (None,)
    combinations = [_Values(*values) for values in itertools.product(statuses, tasks, tags)]
    if len(combinations) > MOST_BRANCHES:
        raise RunFilterError(
            "filter",
            f"{len(combinations)} combinations",
            f"List at most {MOST_BRANCHES} of statuses, tasks and tags at once.",
        )
    return combinations


def _branch(
    environment: str, wanted: RunFilter, values: _Values, limit: int, after: Cursor | None, *, is_error_rare: bool
) -> Select[Any]:
    """Return (created, id) of the newest runs that have these values."""
    if wanted.error is not None and is_error_rare:
        runs = _rare(wanted.error).c
        own = [runs.environment == environment, *_attributes(runs, wanted, values, tag=values.tag)]
        if wanted.fingerprint is not None:
            grouped = select(ERRORS.c.run_id).where(ERRORS.c.run_id == runs.id)
            own.append(grouped.where(ERRORS.c.fingerprint == clean(wanted.fingerprint)).exists())
        return _page(runs.created, runs.id, wanted, own, limit, after)
    if wanted.error is not None or wanted.fingerprint is not None:
        own = [ERRORS.c.environment == environment, *_failed(wanted)]
        own += _joined(ERRORS.c.run_id, _attributes(RUNS.c, wanted, values, tag=values.tag))
        return _page(ERRORS.c.created, ERRORS.c.run_id, wanted, own, limit, after)
    if values.tag is not None:
        own = [TAGS.c.environment == environment, TAGS.c.tag == clean(values.tag)]
        own += _joined(TAGS.c.run_id, _attributes(RUNS.c, wanted, values, tag=None))
        return _page(TAGS.c.created, TAGS.c.run_id, wanted, own, limit, after)
    own = [RUNS.c.environment == environment, *_attributes(RUNS.c, wanted, values, tag=None)]
    return _page(RUNS.c.created, RUNS.c.id, wanted, own, limit, after)


def _page(
    created: Any, run_id: Any, wanted: RunFilter, conditions: list[Condition], limit: int, after: Cursor | None
) -> Select[Any]:
    if wanted.created_from is not None:
        conditions.append(created >= first_millisecond(wanted.created_from))
    if wanted.created_to is not None:
        conditions.append(created < first_millisecond(wanted.created_to))
    if after is not None:
        here, there = tuple_(created, run_id), (after.created, after.id)
        conditions.append(here > there if after.is_before else here < there)
    keys = select(created.label("created"), run_id.label("id")).where(*conditions)
    return keys.order_by(*_order(created, run_id, after)).limit(limit)


def _order(created: Any, run_id: Any, after: Cursor | None) -> tuple[Any, Any]:
    """Return the order in which runs are read: newest first, or before a position oldest first."""
    is_reverse = after is not None and after.is_before
    return (created.asc(), run_id.asc()) if is_reverse else (created.desc(), run_id.desc())


def _attributes(runs: Any, wanted: RunFilter, values: _Values, *, tag: str | None) -> list[Condition]:
    """Return the conditions on a run's own columns, and on its tags unless the tags' own index is read."""
    given = {
        runs.status: values.status and values.status.value,
        runs.task_id: values.task,
        runs.queue: wanted.queue,
        runs.machine: wanted.machine,
        runs.version: wanted.version,
        runs.batch_id: wanted.batch,
        runs.schedule_id: wanted.schedule,
        runs.parent_id: wanted.parent,
        runs.root_id: wanted.root,
        runs.idempotency_key: wanted.idempotency_key,
    }
    conditions: list[Condition] = [column == clean(value) for column, value in given.items() if value is not None]
    if wanted.is_test is not None:  # the bare column, as the partial index has it
        conditions.append(runs.is_test if wanted.is_test else not_(runs.is_test))
    if wanted.is_root is not None:
        conditions.append(runs.parent_id.is_(None) if wanted.is_root else runs.parent_id.is_not(None))
    if wanted.not_tasks:
        conditions.append(runs.task_id.not_in(list(map(clean, wanted.not_tasks))))
    if wanted.id_end is not None:
        conditions.append(_IdEnd(runs.id) == clean(wanted.id_end))
    if tag is not None:
        conditions.append(select(TAGS.c.tag).where(TAGS.c.run_id == runs.id, TAGS.c.tag == clean(tag)).exists())
    return conditions


class _IdEnd(FunctionElement[str]):
    """The last 8 characters of an id, written as the index of each database has it."""

    type = Text()
    inherit_cache = True


@compiles(_IdEnd)
def _(element: _IdEnd, compiler: SQLCompiler, **options: Any) -> str:
    return f"right({compiler.process(element.clauses, **options)}, 8)"


@compiles(_IdEnd, "sqlite")
def _(element: _IdEnd, compiler: SQLCompiler, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, -8)"


def _failed(wanted: RunFilter) -> list[Condition]:
    """Return the conditions on a run's row of searchable errors."""
    conditions: list[Condition] = []
    if wanted.error is not None:
        conditions.append(ERRORS.c.text.like(f"%{_escaped(needle(wanted.error))}%", escape="\\"))
    if wanted.fingerprint is not None:
        conditions.append(ERRORS.c.fingerprint == clean(wanted.fingerprint))
    return conditions


def _joined(run_id: ColumnElement[str], conditions: list[Condition]) -> list[Condition]:
    return [run_id == RUNS.c.id, *conditions] if conditions else []


def _rare(error: str) -> CTE:
    """Return the runs whose error has a text, read by the trigram index whatever the other conditions are."""
    numbers = select(_trigrams.c.rowid).where(_matches(error))
    ids = select(ERRORS.c.run_id).where(ERRORS.c.number.in_(numbers))
    return select(*(RUNS.c[name] for name in LISTED)).where(RUNS.c.id.in_(ids)).cte("rare").prefix_with("MATERIALIZED")


def _matches(text: str) -> Condition:
    """Return the full-text condition of a phrase of trigrams: a part of the text (https://sqlite.org/fts5.html)."""
    phrase = needle(text).replace('"', '""')
    return _trigrams.c.text.op("MATCH", is_comparison=True)(f'"{phrase}"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
