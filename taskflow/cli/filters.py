"""The options that select runs: ``--status FAILED --task x --tag y --queue q --error e --since 1h --batch b``."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, cast

import typer

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.durations import parse_duration
from taskflow.errors import RunFilterError
from taskflow.models import RunStatus


def takes_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options. The command gets the filter that they make as its argument ``where``."""
    options = signature(_run_filter).parameters

    @wraps(command)
    def filtered(**arguments: Any) -> None:
        where = _run_filter(**{name: arguments.pop(name) for name in options})
        command(where=where, **arguments)

    parameters: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        parameters += options.values() if parameter.name == "where" else [parameter]
    named = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    cast("Any", filtered).__signature__ = signature(command).replace(parameters=named)
    filtered.__annotations__ = {parameter.name: parameter.annotation for parameter in named}
    return filtered


def _run_filter(
    status: Annotated[
        list[str] | None, typer.Option(help="Runs of this status, e.g. FAILED; may repeat.", metavar="STATUS")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Runs of this task; may repeat.", metavar="ID")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Runs with this tag; may repeat.")] = None,
    queue: Annotated[str | None, typer.Option(help="Runs of this queue.")] = None,
    error: Annotated[str | None, typer.Option(help="Runs with this text in their error's type or message.")] = None,
    since: Annotated[str | None, typer.Option(help="Runs made since then: 30s, 5m, 1h30m ago.")] = None,
    batch: Annotated[str | None, typer.Option(help="Runs of this batch.", metavar="ID")] = None,
) -> RunFilter:
    """Return the filter that the options make.

    Raises:
        RunFilterError: There is no such status.
        DefinitionError: ``since`` is not a duration.
    """
    return RunFilter(
        status=tuple(map(_status, status or ())),
        task=tuple(task or ()),
        tag=tuple(tag or ()),
        queue=queue,
        error=error,
        batch=batch,
        created_from=None if since is None else datetime.now(UTC) - parse_duration(since, option="since"),
    )


def _status(name: str) -> RunStatus:
    try:
        return RunStatus(name.upper().replace("-", "_"))
    except ValueError:
        raise RunFilterError("status", name, f"It is one of {', '.join(RunStatus)}.") from None
