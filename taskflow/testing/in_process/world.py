"""Executes the runs of a test in its own process: takes tickets from the store as a node does, until nothing goes on.

``drive`` is called after each operation of a test that may have made something startable. The code of runs triggers,
too; its runs start when it waits or has ended. Code of ``def`` tasks executes in the thread that drives: that of the
test, or, for all others, a helper. Any thread could trigger, but code that waits can only go on in its own thread.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final, TypeVar, cast

from taskflow.broker.taken_messages import NoConsumer, TakenMessage
from taskflow.definition.signal import CANCELED, TIMED_OUT
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, StaleClaimError
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.store import operations
from taskflow.store.operations.nodes import InboxEntry
from taskflow.store.sync_store import Store
from taskflow.testing.in_process.coroutine_runs import CoroutineRuns
from taskflow.testing.in_process.def_runs import DefRun, run_of_caller
from taskflow.testing.in_process.membership import Membership
from taskflow.testing.in_process.patience import Patience
from taskflow.testing.in_process.polling import Polled, Polling
from taskflow.testing.moved_clock import MovedClock
from taskflow.testing.timers import StoreTimers
from taskflow.upkeep.passes import Upkeep
from taskflow.worker.attempt.claimed import STOPPED
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.coroutines.taken_ticket import TakenTicket
from taskflow.worker.tickets.adoption import adopt

ResultT = TypeVar("ResultT")
log = logging.getLogger("taskflow.testing")
MOST_STEPS: Final = 10_000
"""Instants that one ``advance`` goes to. At 1 ms for a tick, a test has waited 10 s by then."""
_SHOWN: Final = 20
_PAUSE_S: Final = 0.002
_DUE: Final = frozenset({"schedules", "runs", "timers", "deserted", "effects", "canvas"})
_REASONS: Final = {"cancel": CANCELED, "timeout": TIMED_OUT}


class World:
    """The node of a test, without processes. One shard."""

    def __init__(self, runtime: Runtime, upkeep: Upkeep, clock: MovedClock, describe: Callable[[str], str]) -> None:
        self._runtime, self._upkeep, self._clock, self._describe = runtime, upkeep, clock, describe
        self._store: Store = runtime.store
        self._timers = StoreTimers(self._store)
        self._base = self._store.config.base(0)
        self._news = threading.Event()
        self._coroutines = CoroutineRuns(runtime, self._news.set)
        self._runs: dict[str, DefRun] = {}
        self._postponed: list[tuple[DefRun, Callable[[], None]]] = []
        self._membership = Membership(runtime)
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="inline")
        self._home = threading.get_ident()
        self._other_thread = self.executor.submit(threading.get_ident).result()
        self._mutex = threading.Lock()
        self._driver = 0
        self._again = False
        self._unknown: list[str] = []
        self._is_closed = False

    def start(self) -> None:
        """Register the node and its tasks."""
        self._membership.begin()
        self._polling = Polling(self._store, self._timers, self._runtime.node.id, self._membership.queues)

    def close(self) -> None:
        """Drop what executes. Time that another thread lets pass stops: a test that ran out of time waits for it."""
        self._is_closed = True
        self._driver = threading.get_ident()
        self._stop_own()
        self.executor.submit(self._stop_own).result()
        self.executor.shutdown()
        self._coroutines.close()

    def _stop_own(self) -> None:
        """Leave the code that waits in this thread."""
        for run in [run for run in self._runs.values() if run.thread == threading.get_ident()]:
            run.stop("interrupted")

    @property
    def is_driven_here(self) -> bool:
        """Whether the calling thread executes runs at the moment."""
        return self._driver == threading.get_ident()

    @property
    def has_left_here(self) -> bool:
        """Whether code can go on that has begun in the calling thread, which did something else at that time."""
        return bool(self._postponed) and any(run.thread == threading.get_ident() for run, _ in self._postponed)

    def drive(self) -> bool:
        """Execute what may start, until nothing goes on. Has the thread that drives already look once more.

        Returns:
            Whether there was anything, or still is: a coroutine that goes on, or the work of another thread.
        """
        is_here = threading.get_ident() in (self._home, self._other_thread)
        with self._mutex:
            if self._driver:
                self._again = True
                return True
            if is_here:
                self._driver = threading.get_ident()
        if not is_here:
            return self.executor.submit(self.drive).result()
        has_acted = False
        try:
            while True:
                has_acted = self._turns() or has_acted
                with self._mutex:
                    if not self._again:
                        self._driver = 0
                        return has_acted
                    self._again = False
        except BaseException:
            self._driver = 0
            raise

    async def call(self, act: Callable[[], ResultT]) -> ResultT:
        """Call ``drive`` or the like for a coroutine of the test, in a thread, because code of runs may block."""
        if TRANSACTIONS.call is not None:
            return cast("ResultT", await TRANSACTIONS.call(act))
        return await asyncio.get_running_loop().run_in_executor(self.executor, act)

    def pass_time(self, duration: timedelta) -> None:
        """Move time step by step: to each instant at which something is due, and then to the end."""
        self.drive()
        end = self._clock.now() + duration
        steps = 0
        while (due := self._timers.next_due()) is not None and due < end and not self._is_closed:
            steps += 1
            if steps > MOST_STEPS:
                raise RuntimeError(
                    f"{MOST_STEPS:,} instants at which something was due lie in this time, so the test stopped at "
                    f"{self._clock.now():%Y-%m-%d %H:%M:%S}, before {end:%Y-%m-%d %H:%M:%S}. A schedule of a few "
                    "seconds has that many ticks: advance by less, or deactivate it in this test."
                )
            self._move(due - self._clock.now() + timedelta(milliseconds=1))
            self.drive()
        self._move(end - self._clock.now())
        self.drive()

    def turn(self) -> bool:
        """Let others execute, for code that looks again afterwards whether what it waits for has happened.

        Returns:
            Whether anything went on.
        """
        run = run_of_caller()
        if run is not None:
            run.look_later()
            return True
        if self._driver:
            time.sleep(_PAUSE_S)  # a thread of a run, or of the test beside another one
            return True
        return self.drive()

    def waiting(self) -> list[str]:
        """Describe the runs that have not ended, and messages that are not executed."""
        ids = self._store.send([("ZRANGE", f"{self._base}:live", 0, _SHOWN)])[0]
        return [*(self._describe(each.decode()) for each in ids), *self._unknown]

    def _move(self, duration: timedelta) -> None:
        if duration > timedelta(0):
            self._timers.age(self._clock.move(duration))

    def _turns(self) -> bool:
        has_acted, patience = False, Patience(self._coroutines)
        self._membership.renew()
        while True:
            self._news.clear()
            is_computing = self._is_computing()  # before the look at the store: what has ended is there by then
            polled = self._polling.look(self._clock.now())
            if self._handle(polled) or self._go_on_looking():
                has_acted = True
                patience.renew()
                continue
            if is_computing:
                if patience.is_over:
                    return True
                self._news.wait(_PAUSE_S)
                continue
            if not self._hasten():
                return has_acted

    def _handle(self, polled: Polled) -> bool:
        """Act on what the store has. Return whether there was anything."""
        mine = [each for each in self._postponed if each[0].thread == threading.get_ident()]
        self._postponed = [each for each in self._postponed if each not in mine]
        for run, act in mine:
            self._let(run, act)
        for message in polled.inbox:
            self._act(message)
        for text in polled.messages:
            self._take(TakenMessage(text))
        if polled.is_due:
            self._upkeep.perform(_DUE)
        return bool(mine or polled.inbox or polled.messages or polled.is_due)

    def _act(self, message: InboxEntry) -> None:
        run = self._runs.get(message.run_id)
        if message.kind == "resume":
            self._resume(message.run_id, run)
            return
        reason = _REASONS.get(message.kind)
        if reason is None or self._coroutines.cancel(message.run_id, message.claim, reason):
            return
        if run is not None and run.claimed.claim == message.claim:
            self._let(run, lambda: run.stop(reason))
            return
        stopped = operations.runs.give_up_run(message.run_id, message.claim, AttemptOutcome.INTERRUPTED, STOPPED)
        try:
            self._store.run_for(message.run_id, stopped)
        except StaleClaimError:  # its code has written that itself
            return

    def _resume(self, run_id: str, run: DefRun | None) -> None:
        if run is None:
            self._coroutines.notify(run_id)
        elif run.is_parked:
            self._let(run, run.go_on)

    def _take(self, message: TakenMessage) -> None:
        ticket = message.ticket
        if message.task_id not in self._runtime.registry:
            log.error("inline.unknown: a message names task %r, which is no task of taskflow here", message.task_id)
            self._unknown.append(f"a message of Celery for {message.task_id!r}, which is not executed in place")
            return
        definition = self._runtime.registry.get(message.task_id)
        if ticket is None:
            adopt(self._runtime, definition, NoConsumer(), message)
            return
        if definition.is_async:
            self._coroutines.take(TakenTicket(definition, ticket.run_id, ticket.reservation))
            return
        claim = operations.runs.claim_run(
            ticket.run_id, node_id=self._runtime.node.id, reservation=ticket.reservation, version=""
        )
        try:
            claimed = self._store.run_for(ticket.run_id, claim)
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            return
        run = self._runs[ticket.run_id] = DefRun(self._runtime, definition, claimed)
        self._let(run, run.go_on)

    def _let(self, run: DefRun, act: Callable[[], None]) -> None:
        """Execute code of a run until it waits or ends, in the thread in which the run has begun."""
        if run.thread == threading.get_ident():
            act()
        elif run.thread == self._other_thread:
            self.executor.submit(act).result()
        else:  # of a thread that does something else now: when it drives
            self._postponed.append((run, act))
            return
        if not run.has_ended:
            return
        if self._runs.get(run.run_id) is run:
            del self._runs[run.run_id]
        if run.interruption is not None:
            raise run.interruption
        self._coroutines.will_retry = self._coroutines.will_retry or run.will_retry

    def _go_on_looking(self) -> bool:
        """Let code look that waits for something which is no wait of its run. Return whether anything came of it."""
        looking = [run for run in self._runs.values() if run.is_looking and run.thread == threading.get_ident()]
        for run in looking:
            self._let(run, run.go_on)
        return any(not run.is_looking for run in looking)

    def _is_computing(self) -> bool:
        """Whether a coroutine does more than wait, or is about to leave its loop."""
        if self._coroutines.busy:
            return True
        if not self._coroutines.alive:
            return False
        if not self._coroutines.is_at_rest:
            return True
        held = self._store.run(operations.nodes.read_node_runs(self._runtime.node.id), shard=0)
        here = set(self._runs)
        return any(run.status is not RunStatus.WAITING for run in held if run.run_id not in here)

    def _hasten(self) -> bool:
        """Let the delays of retries be over. Return whether there were any."""
        if not self._coroutines.will_retry:
            return False
        self._coroutines.will_retry = False
        return self._timers.hasten_retries(self._clock.micros()) > 0
