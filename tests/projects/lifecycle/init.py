"""Hooks of all tasks of this package: imported by nodes before the tasks beside it."""

from collections.abc import Generator

from taskflow import Context, Local, tasks
from tests.projects.fleet_tasks import write

Place = Local[str]("place")


@tasks.middleware("place")
def place(ctx: Context) -> Generator[None]:
    """Set a local around each attempt."""
    write(ctx.run.id, "global-before")
    Place.set("set by the global middleware")
    try:
        yield
    except BaseException as error:
        write(ctx.run.id, "global-saw", type(error).__name__)
        raise
    finally:
        write(ctx.run.id, "global-after")


@tasks.on_complete("count")
async def complete(ctx: Context, reason: str) -> None:
    """Write how the run ended."""
    write(ctx.run.id, "global-on_complete", reason.replace(" ", "-"))
