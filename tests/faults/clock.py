"""A store whose clock the driver sets: libfaketime in the server, so that TIME, expiry and stream ids jump alike."""

import os
import time
from pathlib import Path

from tests.support.servers import Fsync, RedisServer, find_valkey

LIBRARY = "faketime/libfaketimeMT.so.1"


def find_faketime() -> Path | None:
    """Return Debian's libfaketime, None where it is not installed."""
    return next((path for path in Path("/usr/lib").glob(f"*/{LIBRARY}")), None)


class StoreClock:
    """The store's clock: the host's, plus an offset that the driver changes.

    Attributes:
        moves: The offsets in seconds, each with the host's time from which it counts.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.moves: list[tuple[float, float]] = []
        self._set(0.0)

    @property
    def offset(self) -> float:
        """The seconds by which the store is ahead of the host."""
        return self.moves[-1][1]

    def jump(self, seconds: float) -> None:
        """Move the clock. A negative offset moves it back."""
        self._set(self.offset + seconds)

    def host_times(self, store_time: float) -> list[float]:
        """Return the host's times at which the store's clock showed an instant: more than one after a jump back."""
        ends = [since for since, _ in self.moves[1:]] + [float("inf")]
        candidates = [(store_time - offset, since, end) for (since, offset), end in zip(self.moves, ends, strict=True)]
        times = [at for at, since, end in candidates if since - 0.001 <= at <= end + 0.001]
        return times or [since for _, since, _ in candidates[-1:]]  # a jump has skipped the instant

    def _set(self, offset: float) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(f"{offset:+.3f}\n")
        os.replace(part, self.file)
        self.moves.append((time.time(), offset))


class ClockedServer(RedisServer):
    """A Valkey whose clock is ``clock``. Without libfaketime it always has the host's clock."""

    def __init__(self, directory: Path, *, appendfsync: Fsync) -> None:
        super().__init__(directory, find_valkey(), name="Valkey", appendfsync=appendfsync)
        directory.mkdir(parents=True)
        self.clock = StoreClock(directory / "clock")
        self._library = find_faketime()

    @property
    def can_jump(self) -> bool:
        """Whether the server's clock can be set."""
        return self._library is not None

    def _env(self) -> dict[str, str]:
        if self._library is None:
            return super()._env()
        return super()._env() | {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
