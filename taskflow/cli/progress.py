"""Progress bars on standard error, so that what is printed can be piped."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[int, int], None]
"""Takes how many are done, of how many."""


@contextmanager
def progress(what: str, *, is_shown: bool = True) -> Generator[Advance]:
    """Show a bar while the block calls what it gets."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not is_shown) as bar:
        shown = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(shown, completed=done, total=total)

        yield advance
