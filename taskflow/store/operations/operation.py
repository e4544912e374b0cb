"""The description of one script call: a value, without I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

ResultT = TypeVar("ResultT")
PER_PASS: Final = 100
"""The most items that one script of upkeep handles, so that none holds the store for long."""


@dataclass(slots=True)
class Operation(Generic[ResultT]):
    """One call of one script. ``read`` gets the reply's code and value and returns the result, or raises.

    ``needs_replicas``: The call returns only after ``store_replicas`` replicas have confirmed the write.

    Not frozen, because a frozen one takes three times as long to make.
    """

    script: str
    args: tuple[bytes | str | int | float, ...]
    read: Callable[[int, Any], ResultT]
    run_id: str | None = None
    needs_replicas: bool = False
