"""Transactions of the program's own database, at whose commit triggers make their runs.

A framework's room in ``contrib/`` sets the one object of this kind. Without it every trigger makes its run at once.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol


class Transaction(Protocol):
    """An open transaction."""

    def on_commit(self, publish: Callable[[], None]) -> None:
        """Have a function called once the transaction is committed, never if it is rolled back."""
        ...

    def record(self, planned_id: str, document: Callable[[], bytes]) -> Callable[[], None] | None:
        """Write what is planned into the transaction's own database, as a part of the transaction.

        Args:
            planned_id: The id of the run or the batch.
            document: Returns the plan as JSON.

        Returns:
            What removes the record once the runs are made. None without an outbox.
        """
        ...


class Transactions(Protocol):
    """The transactions of the calling thread."""

    def open(self, using: str | None) -> Transaction | None:
        """Return the open transaction at whose commit a trigger makes its run, None to make it at once.

        Args:
            using: The name of a database; None for the one that has a transaction, if triggers wait by default.

        Raises:
            TriggerOptionError: There is no such database, or several have a transaction.
        """
        ...

    def open_anywhere(self) -> Transaction | None:
        """Return the open transaction although triggers do not wait by default. See ``open``."""
        ...


class _Holder:
    """Holds the transactions of this process.

    Attributes:
        source: None in a program without a database that taskflow knows.
        call: Calls a blocking function in the thread that has the connections of the calling coroutine. None in a
            program whose framework has no such thread.
        sweep: Makes the runs of records whose processes ended before they could, by calling a function with each
            document. Returns how many. None in a program without an outbox.
    """

    def __init__(self) -> None:
        self.source: Transactions | None = None
        self.call: Callable[[Callable[[], object]], Awaitable[object]] | None = None
        self.sweep: Callable[[Callable[[bytes], None]], int] | None = None


TRANSACTIONS: Final = _Holder()
