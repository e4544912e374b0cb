"""Errors of tests, see ``taskflow.testing``."""

from collections.abc import Sequence

from taskflow.errors.base import TaskflowError


class StandstillError(TaskflowError):
    """A test waits for something that only the test itself can bring about: time, a token, an item of a stream.

    Attributes:
        waited_for: What the call waits for.
        waiting: The runs that have not ended, a line each.
    """

    def __init__(self, waited_for: str, waiting: Sequence[str] = ()) -> None:
        self.waited_for, self.waiting = waited_for, waiting
        listed = "".join(f"\n  {line}" for line in waiting) or " none."
        super().__init__(
            f"This would wait for ever for {waited_for}: nothing goes on until the test moves time (advance(hours=1)), "
            f"completes a token, sends an item or lifts a limit. Runs that have not ended:{listed}"
        )


class RealStoreError(TaskflowError):
    """A test would have used the store of the project's settings.

    Attributes:
        store: The store that was refused.
    """

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"A test may not use a real store, and this one would use {store}, where a worker would execute its runs. "
            "Take the fixture taskflow_inline (runs execute here and now) or taskflow_store (a store and workers of "
            "its own); in unittest and Django, taskflow.testing.InlineMixin. A suite that starts servers of its own "
            "calls taskflow.testing.allow_store(url), or sets taskflow_real_store = true in pytest's configuration; "
            "one test has @pytest.mark.taskflow_real_store."
        )
