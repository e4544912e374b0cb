"""Kill process groups when their owner is gone, however it died.

Started by ``tests.support.processes`` as a process of its own. Reads ``+<pgid>`` and ``-<pgid>`` lines; when the pipe
closes or the owner (first argument: its pid) exits, every group still listed gets SIGKILL. PR_SET_PDEATHSIG would not
do: it follows the thread that forked, and not grandchildren.
"""

import contextlib
import os
import select
import signal
import sys


def main() -> None:
    """Wait for the owner's end, then kill the groups that are still listed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = int(sys.argv[1])
    groups: set[int] = set()
    watched: list[int] = [0]
    if hasattr(os, "pidfd_open"):  # a child forked by the owner keeps the pipe open
        try:
            watched.append(os.pidfd_open(owner))
        except ProcessLookupError:  # it is gone already; what it wrote is in the pipe
            watched = [0]
    pending = b""
    while True:
        ready, _, _ = select.select(watched, [], [])
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
        elif ready:
            break
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
