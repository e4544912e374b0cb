"""The stream that a ``target`` names, and its writer: that of the attempt that executes here, or another."""

from typing import NamedTuple

from taskflow.errors import OutsideRunError, RunNotFoundError
from taskflow.execution.reporting.current import current_live_run
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.reporting.sink import RunIdentity
from taskflow.seams.streams import StreamAddress, StreamWriter
from taskflow.texts import is_possible_id
from taskflow.verbs.current import engine


class Target(NamedTuple):
    """A stream, and the attempt whose code calls, None outside of one."""

    place: StreamAddress
    live: LiveRun | None

    def writer(self) -> StreamWriter:
        """Return the stream's writer. An attempt has one per stream, and ends when all their items are written."""
        if self.live is None:
            return engine().streams.writer(self.place)
        known, key, live = self.live.streams, (self.place.run_id, self.place.name), self.live
        is_own = self.place.claim is not None
        return known.get(key) or known.setdefault(
            key, engine().streams.writer(self.place, (lambda: live.identity.claim) if is_own else None)
        )


def target_of(name: str, target: str, verb: str) -> Target:
    """Return the output stream that a verb means.

    Args:
        target: ``"self"``, ``"parent"``, ``"root"``, or a run's id.

    Raises:
        RunNotFoundError: No run can have that id.
        OutsideRunError: The target is relative and no run executes here, or the attempt has ended.
    """
    live = current_live_run()
    if live is not None and live.is_over:
        raise OutsideRunError(verb)
    run_id = target
    if not is_possible_id(target):
        raise RunNotFoundError(target)
    if target in ("self", "parent", "root"):
        if live is None:
            raise OutsideRunError(f"{verb}(target={target!r})")
        run_id = _related(live.identity, target)
    claim = live.identity.claim if live is not None and live.identity.run_id == run_id else None
    return Target(StreamAddress(run_id, "stream", name, claim), live)


def _related(me: RunIdentity, target: str) -> str:
    if target == "parent":
        return me.parent_id or me.run_id
    return (me.root_id or me.parent_id or me.run_id) if target == "root" else me.run_id
