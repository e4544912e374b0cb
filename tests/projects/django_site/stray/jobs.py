"""Tasks that nothing imports."""

from taskflow import task


@task(id="site-stray")
def stray() -> None:
    """Never known to workers."""
