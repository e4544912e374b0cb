"""The node that the tests' process is, in its store: the tasks, queues and machines that it serves."""

from datetime import timedelta
from typing import Final

from taskflow.broker.queues import shared_queue, subtask_queue
from taskflow.store import operations
from taskflow.worker.attempt.runtime import Runtime

LEASE: Final = timedelta(days=3650)
"""The lease of the node: nothing renews it."""
CAPACITY: Final = 1000


class Membership:
    """Registers the node, and again whenever a test has declared a task."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        environment = runtime.settings.environment
        self._classes = [(machine, executor) for machine in runtime.presets for executor in ("process", "async")]
        shared = [shared_queue(environment, *each) for each in self._classes]
        self.queues = [*shared, *map(subtask_queue, shared)]
        self._declared = -1

    def begin(self) -> None:
        """Make the process a node."""
        node = self._runtime.node
        node.name = "inline"
        node.renew()
        self.renew()

    def renew(self) -> None:
        """Register the tasks, unless they are those of the last time."""
        if self._declared == len(self._runtime.registry):
            return
        self._declared = len(self._runtime.registry)
        self._runtime.declare()
        self._runtime.store.run(
            operations.nodes.register_node(
                self._runtime.node.id,
                lease=LEASE,
                queues=self.queues,
                capacity=CAPACITY,
                classes=sorted({f"{machine}.{executor}" for machine, executor in self._classes}),
                description={"host": "inline", "concurrency": CAPACITY},
                tasks=self._runtime.task_ids(),
            ),
            shard=0,
        )
