"""The engine behind one-time public tokens. They are on the first shard."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from taskflow.engine.loops import Loop
from taskflow.store.operations.serving.single_use import Used, use_once


class SingleUses:
    """Remembers what was used, until it could not be used any more anyway."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        self._loop = loop

    async def ause(self, digest: str, use: str, until: datetime) -> Used:
        """Use something once. Returns which use has it: this one from now on or from before, or another one.

        Args:
            until: When it expires.
        """
        left = until - datetime.now(UTC) + timedelta(minutes=1)
        return await self._loop().store.run(use_once(digest, use, max(left, timedelta(minutes=1))))

    async def agive_back(self, digest: str, use: str) -> None:
        """Forget a use that was refused."""
        await self._loop().store.run(use_once(digest, use, timedelta(0)))
