"""The guard: a process that outlives its node and kills the process groups the node leaves behind.

Started by path (``python -I -S guard_program.py``) with a pipe from the node as stdin. It imports only what every
interpreter has loaded. Lines: ``+<pgid>`` watch, ``-<pgid>`` forget, ``.`` forget all (a clean end).
"""

import os

SIGKILL = 9  # the module `signal` would cost a megabyte


def main() -> None:
    """Read the node's pipe to its end, then kill the groups that are still watched."""
    groups: set[int] = set()
    pending = b""
    while data := os.read(0, 4096):
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            if line == b".":
                groups.clear()
            else:
                (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        try:  # noqa: SIM105 - contextlib is an import
            os.killpg(group, SIGKILL)
        except OSError:
            pass


if __name__ == "__main__":
    main()
