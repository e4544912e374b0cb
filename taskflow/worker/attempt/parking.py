"""The pipe through which a child notifies its node that it only waits, and that it goes on.

Not through the store, because the node must receive it at once, and also while the store is unavailable.
"""

import os
import select
from dataclasses import dataclass
from typing import Final

_LINE_BYTES: Final = select.PIPE_BUF
"""Lines up to this length are written whole, however many children write."""


@dataclass(frozen=True, slots=True)
class Parked:
    """The line of a child that only waits, or executes again. ``run_id`` is the id of its run."""

    pid: int
    run_id: str
    is_waiting: bool


class ParkingLine:
    """One pipe for each node, made before its children are forked."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._rest = b""

    def fileno(self) -> int:
        """Return the end that the node reads."""
        return self._read_end

    def send(self, run_id: str, *, is_waiting: bool) -> None:
        """Notify the node that this child only waits, or executes again. In a child."""
        line = f"{'+' if is_waiting else '-'} {os.getpid()} {run_id.encode().hex()}\n".encode()
        if len(line) <= _LINE_BYTES:
            os.write(self._write_end, line)

    def read(self) -> list[Parked]:
        """Return the lines since the last call. In the node, on one thread."""
        while True:
            try:
                read = os.read(self._read_end, 65536)
            except BlockingIOError:
                break
            self._rest += read
        *lines, self._rest = self._rest.split(b"\n")
        return [_parse(line.decode()) for line in lines]


def _parse(line: str) -> Parked:
    sign, pid, run_id = line.split(" ", 2)
    return Parked(int(pid), bytes.fromhex(run_id).decode(), sign == "+")
