"""Supervise nodes of ``stock_app``: ``supervise.py <nodes> <seconds until SIGKILL> <seconds to drain>``."""

import sys

from taskflow.definition.machine import PRESETS
from taskflow.worker.launch.plan import NodePlan
from taskflow.worker.launch.supervisor import supervise


def node(number: int) -> NodePlan:
    """Plan a node that consumes Celery's default queue."""
    command = (
        "celery",
        "-A",
        "stock_app",
        "worker",
        "-c",
        "1",
        "-n",
        f"node{number}@%h",
        "-P",
        "prefork",
        "-O",
        "fair",
    )
    return NodePlan(
        name=f"node{number}",
        machine=PRESETS["micro"],
        executor="process",
        queue=None,
        queues=("celery",),
        concurrency=1,
        command=(*command, "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )


if __name__ == "__main__":
    nodes = [node(number) for number in range(int(sys.argv[1]))]
    stop_after = float(sys.argv[3])
    sys.exit(supervise(nodes, still_running=lambda: "2 runs", kill_after=float(sys.argv[2]), stop_after=stop_after))
