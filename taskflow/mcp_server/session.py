"""The caller of a tool: the environment that it reads, what is hidden from it, and whether it may write."""

from dataclasses import dataclass

from taskflow.definition.documents.hiding import Hiding
from taskflow.seams.engine import Application, Engine


@dataclass(frozen=True, slots=True)
class Session:
    """One caller.

    Attributes:
        hiding: The values of documents that no tool shows: those of TASKFLOW_REDACT.
        may_write: Whether the tools are offered that make and change runs.
        caller: Its name for records of who did something; "" for the user and host of this process.
        origin: Its name in the records of the runs that it triggers, see ``Run.triggered_by``.
    """

    application: Application
    hiding: Hiding
    may_write: bool = False
    caller: str = ""
    origin: str = ""

    @property
    def engine(self) -> Engine:
        """The engine whose verbs tools await."""
        return self.application.engine
