"""The work of upkeep that is about schedules."""

from dataclasses import dataclass
from typing import Final

from taskflow.engine.schedules.firing import Firing
from taskflow.engine.schedules.sync import ScheduleSync
from taskflow.store.operations.schedules.calls import copy_schedules
from taskflow.store.sync_store import Store

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class ScheduleUpkeep:
    """Fires what is due, and every half minute looks after declarations and time zones."""

    store: Store
    firing: Firing
    sync: ScheduleSync
    has_history: bool = True

    def fire(self, shard: int) -> None:
        """Fire what is due on a shard."""
        self.firing.fire(shard)

    def look_after(self, shard: int) -> None:
        """Remove schedules of code that is gone, and follow newer time zone data."""
        self.sync.sync(shard, with_orphans=True)
        self.sync.follow_zones(shard)
        if not self.has_history:
            self._forget_changes(shard)

    def _forget_changes(self, shard: int) -> None:
        """Take changes off the list for the history, which nobody reads here."""
        changed = self.store.run(copy_schedules(_PAGE), shard=shard)
        while changed.records or changed.gone:
            done = [
                f"{each.schedule.id} {round(each.schedule.updated_at.timestamp() * 1000)}" for each in changed.records
            ]
            done += [f"{each} " for each in changed.gone]
            is_last = len(done) < _PAGE
            changed = self.store.run(copy_schedules(_PAGE, done), shard=shard)
            if is_last:
                return
