"""Filters of runs as one parameter: JSON with the names of the filter's own fields."""

from dataclasses import fields

from pydantic_core import to_json

from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter


def filter_text(where: RunFilter) -> str | None:
    """Return a filter as text, None for all runs. Conditions that are not given are left out."""
    if where == ALL_RUNS:
        return None
    given = {each.name: getattr(where, each.name) for each in fields(RunFilter)}
    chosen = {name: value for name, value in given.items() if value is not None and value != ()}
    return to_json(chosen).decode()
