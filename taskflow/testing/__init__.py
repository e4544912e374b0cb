"""Tests of a project's own tasks: runs that execute here and now, time that a test moves, and what was triggered.

::

    def test_reminder(taskflow_inline):
        handle = remind.trigger(Order(id="o_42"))
        advance(days=3)
        assert handle.result() == "reminded"
        assert_triggered(send_mail, Mail(to="ann@example.com"))

The names below are loaded at their first use, so that a test which only makes a ``context`` starts nothing.
"""

import importlib
from typing import TYPE_CHECKING, Final

from taskflow.testing.contexts import context, local_values

if TYPE_CHECKING:
    from taskflow.errors import RealStoreError, StandstillError
    from taskflow.testing.functions import (
        aadvance,
        advance,
        allow_store,
        asettle,
        assert_triggered,
        now,
        settle,
        triggered,
    )
    from taskflow.testing.in_process.stage import InlineStage
    from taskflow.testing.mixins import InlineMixin
    from taskflow.testing.session import inline, workers
    from taskflow.testing.stage import Stage
else:
    _LATER: Final = {
        "InlineMixin": "taskflow.testing.mixins",
        "InlineStage": "taskflow.testing.in_process.stage",
        "RealStoreError": "taskflow.errors",
        "Stage": "taskflow.testing.stage",
        "StandstillError": "taskflow.errors",
        "aadvance": "taskflow.testing.functions",
        "allow_store": "taskflow.testing.functions",
        "asettle": "taskflow.testing.functions",
        "advance": "taskflow.testing.functions",
        "assert_triggered": "taskflow.testing.functions",
        "inline": "taskflow.testing.session",
        "now": "taskflow.testing.functions",
        "settle": "taskflow.testing.functions",
        "triggered": "taskflow.testing.functions",
        "workers": "taskflow.testing.session",
    }

    def __getattr__(name: str) -> object:
        """Load a name that needs the engine."""
        if name not in _LATER:
            raise AttributeError(f"module 'taskflow.testing' has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
        return value


__all__ = [
    "InlineMixin",
    "InlineStage",
    "RealStoreError",
    "Stage",
    "StandstillError",
    "aadvance",
    "advance",
    "allow_store",
    "asettle",
    "assert_triggered",
    "context",
    "inline",
    "local_values",
    "now",
    "settle",
    "triggered",
    "workers",
]
