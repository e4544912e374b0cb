"""The operation on what may be used once: one-time public tokens."""

from datetime import timedelta
from typing import Literal, TypeAlias

from taskflow.store.operations.encoding import milliseconds
from taskflow.store.operations.operation import Operation

Used: TypeAlias = Literal["now", "before", "by another"]
_USED: dict[int, Used] = {0: "by another", 1: "now", 2: "before"}


def use_once(digest: str, use: str, remembered: timedelta) -> Operation[Used]:
    """Use something, or with no time give this use back. Reads as which use has it, and since when."""
    ms = max(0, milliseconds(remembered))
    return Operation("use_once", (digest, use, ms), lambda code, _: _USED[code])
