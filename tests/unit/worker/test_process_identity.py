"""A node's process is recognised as gone only when that is certain."""

import os
import subprocess
import sys

from taskflow.worker.node.process_identity import is_gone, own_process


def test_a_process_is_gone_once_it_has_ended_and_never_before() -> None:
    """Also as a zombie, and when another process has its id. One of another host or namespace is left alone."""
    own = own_process()
    assert own is not None
    assert not is_gone(own)
    place, pid, start = own.rsplit(" ", 2)
    assert is_gone(f"{place} {pid} {int(start) - 1}")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = "from taskflow.worker.node.process_identity import *; print(own_process())"
    other = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, check=True).stdout.strip()
    assert is_gone(other)
    with open(f"/proc/{child.pid}/stat") as stat:
        living = f"{place} {child.pid} {stat.read().rpartition(')')[2].split()[19]}"
    assert not is_gone(living)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(living)
    child.communicate()
    assert is_gone(living)
    assert not is_gone(f"elsewhere {other.split(' ', 1)[1]}")
