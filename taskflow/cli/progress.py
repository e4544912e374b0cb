"""Progress bars on standard error, because standard output may be piped."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from taskflow.cli.printing import errors_console

Advance = Callable[[int, int], None]
"""Called with two counts: the items that are done, and all items."""


@contextmanager
def progress(what: str, *, is_shown: bool = True) -> Generator[Advance]:
    """Show a progress bar while the block executes. The block moves the bar by calling the yielded function."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors_console, disable=not is_shown) as bar:
        shown = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(shown, completed=done, total=total)

        yield advance
