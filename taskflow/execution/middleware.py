"""Call the middlewares around an attempt, outermost first. Each gets the error of the run within it."""

from collections.abc import Mapping, Sequence

from taskflow.definition.hooks import Hook
from taskflow.execution.calling import Caller, Inner, called_twice
from taskflow.execution.reporting.spans import traced

_NO_YIELD = ("generator didn't yield",)  # contextlib's words


async def within(middlewares: Sequence[Hook], values: Mapping[str, object], caller: Caller, inner: Inner) -> None:
    """Run ``inner`` within the middlewares.

    Raises:
        BaseException: The error that the outermost middleware let pass, of ``inner`` or of a middleware.
        DefinitionError: A middleware did not call ``next`` or did not yield, or did so twice.
    """
    if not middlewares:
        await inner()
        return
    outer, rest = middlewares[0], middlewares[1:]
    reached = False

    async def once() -> None:
        nonlocal reached
        if reached:
            raise called_twice(outer)
        reached = True
        await within(rest, values, caller, inner)

    arguments = outer.arguments(values)
    with traced("middleware", outer.name):
        if outer.is_generator:
            await _yielding(outer, arguments, caller, once)
        else:
            await caller.around(outer, arguments, once)
    if not reached:
        remedy = "Call next() once on every path, or raise AbortRun to keep the run from happening."
        raise outer.refusal("returned without calling next()", remedy)


async def _yielding(middleware: Hook, arguments: Mapping[str, object], caller: Caller, inner: Inner) -> None:
    opened = caller.open(middleware, arguments)
    try:
        await opened.enter()
    except RuntimeError as error:
        if error.args != _NO_YIELD:
            raise
        remedy = "Yield once on every path, or raise AbortRun to keep the run from happening."
        raise middleware.refusal("returned without a yield", remedy) from None
    try:
        await inner()
    except BaseException as error:
        if caller.is_dropped(error) or not await opened.leave(error):
            raise
    else:
        await opened.leave(None)
