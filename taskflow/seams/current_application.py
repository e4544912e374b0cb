"""The application whose engine the verbs of this process use. Each process has one holder of it."""

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # see ``verbs/current.py``
    from taskflow.seams.engine import Application


class CurrentApplication:
    """Holds the current application.

    Attributes:
        application: None until a verb needs one, or a caller sets one.
        lock: Held by whoever makes the first one.
    """

    def __init__(self) -> None:
        self.application: Application | None = None
        self.lock: Final = threading.RLock()


CURRENT: Final = CurrentApplication()
