"""Errors within workers: a claim was refused, or has ended."""

from taskflow.errors.base import TaskflowError


class RunNotClaimableError(TaskflowError):
    """A node asked for a run that is not queued. Expected now and then: tickets arrive at least once."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(
            f"Run {run_id} was not claimed: it is {status}, expected QUEUED under the ticket's reservation. The "
            "ticket probably came twice; it is dropped."
        )


class StaleClaimError(TaskflowError):
    """A write came under a claim that has ended: the run was taken from this node, canceled or finished."""

    def __init__(self, run_id: str, claim: int, status: str) -> None:
        self.run_id, self.claim, self.status = run_id, claim, status
        super().__init__(f"Claim {claim} of run {run_id} is over (the run is {status}); the write was refused.")


class NodeUnregisteredError(TaskflowError):
    """A node's lease has ended: the node must stop everything that it runs and register anew."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        super().__init__(f"Node {node_id} holds no lease: it was not heard of for too long. It must register anew.")
