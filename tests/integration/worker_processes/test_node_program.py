"""The program of a node, in a process of its own, because what is imported is a matter of the whole process."""

import subprocess
import sys


def test_a_node_loads_no_commands_of_other_packages() -> None:
    """Flower adds a command to ``celery``, for which each node would import a web server."""
    argv = [sys.executable, "-X", "importtime", "-m", "taskflow.worker.launch.node_program", "--version"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.stdout.strip()
    assert "celery.bin.worker" in imported
    assert not {"flower.command", "tornado"} & imported
