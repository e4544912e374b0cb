"""Spans: pieces of a run's work, timed and kept with it."""

import asyncio
import contextvars
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from taskflow import logger
from taskflow.execution.reporting.lines import LineLimits
from taskflow.execution.reporting.reports import Reports
from taskflow.execution.reporting.sink import RunIdentity
from taskflow.execution.reporting.spool import Spool
from tests.unit.execution.test_reporting import Sink

ME = RunIdentity("run_me", attempt=2, claim=3, parent_id=None, root_id=None)
Told = list[dict[str, Any]]


@contextmanager
def attempt(folder: Path) -> Generator[Told]:
    """Let the code inside be an attempt's; afterwards what it has told is in the list."""
    sink = Sink()
    reports = Reports(sink, Spool(folder), LineLimits(lines=4, bytes=30_000), interval=3600)
    told: Any = sink.lines
    with reports.attempt(ME, b"{}"):
        yield told


def test_a_span_tells_its_time_its_parent_its_fields_and_its_error(tmp_path: Path) -> None:
    def buy() -> None:
        with logger.span("order", order="o_42"):
            with logger.span("charge") as span:
                span.set(cents=1250)
            raise ConnectionError

    with attempt(tmp_path) as told, pytest.raises(ConnectionError):
        buy()
    charge, order = told
    assert (charge["span"], charge["parent"], charge["message"], charge["fields"]) == (2, 1, "charge", {"cents": 1250})
    assert (order["span"], order["parent"], order["error"]) == (1, None, "ConnectionError")
    assert (order["attempt"], order["claim"], order["fields"]) == (2, 3, {"order": "o_42"})
    assert order["ms"] >= charge["ms"] >= 0
    assert charge["error"] is None
    assert charge["time"] >= order["time"] > 1_700_000_000_000


def test_spans_of_coroutines_side_by_side_are_not_each_others_parents(tmp_path: Path) -> None:
    async def piece(name: str) -> None:
        with logger.span(name):
            await asyncio.sleep(0)

    async def both() -> None:
        with logger.span("all"):
            await asyncio.gather(piece("a"), piece("b"))

    with attempt(tmp_path) as told:
        asyncio.run(both())
    assert {each["message"]: each["parent"] for each in told} == {"a": 1, "b": 1, "all": None}


def test_a_span_may_begin_in_one_context_and_end_in_another(tmp_path: Path) -> None:
    """As the two halves of a middleware do, each in a thread with a copy of the context."""

    def around() -> Generator[None]:
        with logger.span("around"):
            yield

    with attempt(tmp_path) as told:
        opened = around()
        contextvars.copy_context().run(next, opened)
        contextvars.copy_context().run(next, opened, None)
    assert [each["message"] for each in told] == ["around"]


def test_a_span_of_any_name_ends(tmp_path: Path) -> None:
    """Work that is done must not fail by what is told of it."""
    name: Any = ["not", "text"]
    with attempt(tmp_path) as told:
        with logger.span(name):
            pass
        logger.info(name)
    assert [each["message"] for each in told] == ["['not', 'text']"] * 2


def test_spans_count_for_the_limits_of_lines(tmp_path: Path) -> None:
    with attempt(tmp_path) as told:
        for number in range(10):
            with logger.span(f"piece {number}"):
                pass
    assert [each.get("level") for each in told[:-1]] == [None] * 4 + ["WARNING"]
    assert told[-1] == {"dropped": 6}


def test_outside_of_a_run_a_span_does_nothing() -> None:
    with logger.span("nothing", a=1) as span:
        span.set(b=2)
