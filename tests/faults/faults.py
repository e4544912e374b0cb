"""The faults of a drive, planned from a seed: kind, time, post and duration of each."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass

import redis

from tests.faults.clock import ClockedServer
from tests.faults.crew import POSTS, Crew
from tests.faults.forgery import forge
from tests.faults.proxy import Proxy
from tests.support.servers import RabbitServer

KINDS = (
    "kill node", "stop node", "freeze node", "kill child", "restart store", "restart broker", "drop connections",
    "client kill", "lose replies", "delay", "stall", "clock forward", "clock back", "forget scripts",
    "stale writes", "freeze node",
)  # fmt: skip
PAUSE_SECONDS = (0.8, 2.8)


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault. ``choice`` (from 0 to 1) selects one of several targets; the fault lasts ``seconds``."""

    at: float
    kind: str
    post: int
    choice: float
    seconds: float


def plan(seed: int, seconds: float, *, has_broker: bool) -> list[Fault]:
    """Return the faults of a seed in their order. The same arguments give the same faults."""
    dice = random.Random(f"faults-{seed}")
    faults, deck = list[Fault](), list[str]()
    at = dice.uniform(*PAUSE_SECONDS)
    while at < seconds:
        if not deck:  # every kind comes once before any comes again
            deck = [kind for kind in KINDS if has_broker or kind != "restart broker"]
            dice.shuffle(deck)
        kind = deck.pop()
        faults.append(Fault(at, kind, dice.randrange(len(POSTS)), dice.random(), dice.random()))
        at += dice.uniform(*PAUSE_SECONDS)
    return faults


class Injector:
    """Executes the plan.

    Attributes:
        injected: The number of faults of each kind.
        refused: The number of stale writes that the store refused.
        errors: The stale writes that it accepted.
        outages: Start and end of the times in which the store could not be reached, or only badly.
    """

    def __init__(
        self, crew: Crew, store: ClockedServer, broker: RabbitServer | None, proxies: list[Proxy], lease: float
    ) -> None:
        self.injected: Counter[str] = Counter()
        self.refused = 0
        self.errors: list[str] = []
        self.outages: list[tuple[float, float]] = []
        self._crew, self._store, self._broker, self._proxies, self._lease = crew, store, broker, proxies, lease
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._restarting: threading.Thread | None = None
        self._acts: dict[str, Callable[[Fault], bool | None]] = {
            "kill node": self._kill_node, "stop node": self._stop_node, "freeze node": self._freeze_node,
            "kill child": self._kill_child, "restart store": self._restart_store,
            "restart broker": self._restart_broker, "drop connections": self._drop, "client kill": self._client_kill,
            "lose replies": self._lose_replies, "delay": self._delay, "stall": self._stall,
            "clock forward": self._forward, "clock back": self._back, "forget scripts": self._forget_scripts,
            "stale writes": self._forge,
        }  # fmt: skip

    def run(self, faults: list[Fault], seconds: float) -> None:
        """Inject faults at their times, and return after ``seconds``, when all faults are healed."""
        began = time.monotonic()
        for fault in faults:
            self._rest_until(began + fault.at)
            if self._acts[fault.kind](fault) is not False:
                self.injected[fault.kind] += 1
        self._rest_until(began + seconds)
        for _, end in self._ends:
            end()
        self._ends = []
        if self._restarting is not None:
            self._restarting.join()

    def _rest_until(self, instant: float) -> None:
        while (now := time.monotonic()) < instant:
            for due in [due for due in self._ends if due[0] <= now]:
                self._ends.remove(due)
                due[1]()
            self._crew.look()
            time.sleep(min(0.05, instant - now))

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._ends.append((time.monotonic() + seconds, act))

    def _kill_node(self, fault: Fault) -> bool | None:
        if self._crew.is_frozen(fault.post):
            return False
        self._crew.kill(fault.post, with_children=fault.choice < 0.5)
        return None

    def _stop_node(self, fault: Fault) -> bool | None:
        if self._crew.is_frozen(fault.post):
            return False
        self._crew.terminate(fault.post)
        return None

    def _freeze_node(self, fault: Fault) -> bool | None:
        if self._crew.is_frozen(fault.post):
            return False
        self._crew.freeze(fault.post)
        self._later(self._lease * (0.6 + 1.6 * fault.seconds), lambda: self._crew.wake(fault.post))
        return None

    def _kill_child(self, fault: Fault) -> bool:
        return self._crew.kill_child(fault.post - fault.post % 2, fault.choice)  # even posts have children

    def _restart_store(self, fault: Fault) -> None:
        with self._outage():
            self._store.restart(kill=self._store.appendfsync == "always" and fault.choice < 0.6)

    def _restart_broker(self, fault: Fault) -> bool | None:
        if self._broker is None:
            return False
        if self._restarting is not None and self._restarting.is_alive():
            return False
        self._restarting = threading.Thread(target=self._broker.restart, name="broker-restart")
        self._restarting.start()  # in a thread, because other faults may happen meanwhile
        return None

    def _drop(self, fault: Fault) -> None:
        self._proxy(fault).drop()

    def _client_kill(self, fault: Fault) -> None:
        with contextlib.closing(self._store.client()) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal")

    def _lose_replies(self, fault: Fault) -> None:
        proxy = self._proxies[0]
        proxy.loses_replies = True
        self._heal_after(0.1 + 0.4 * fault.seconds, proxy)

    def _delay(self, fault: Fault) -> None:
        proxy = self._proxy(fault)
        proxy.delay = 0.02 + 0.2 * fault.choice
        self._heal_after(1 + 2 * fault.seconds, proxy)

    def _stall(self, fault: Fault) -> None:
        proxy = self._proxy(fault)
        proxy.is_stalled = True
        self._heal_after(0.5 + self._lease * fault.seconds, proxy)

    def _forward(self, fault: Fault) -> bool | None:
        return self._jump(2 + 58 * fault.seconds)

    def _back(self, fault: Fault) -> bool | None:
        return self._jump(-1 - 7 * fault.seconds)

    def _jump(self, seconds: float) -> bool | None:
        if not self._store.can_jump:
            return False
        self._store.clock.jump(seconds)
        return None

    def _forget_scripts(self, fault: Fault) -> None:
        with contextlib.closing(self._store.client()) as client, contextlib.suppress(redis.RedisError):
            client.script_flush()

    def _forge(self, fault: Fault) -> None:
        refused, taken = forge(self._crew.fleet.flow.store, self._crew.fleet.folder / "ledger")
        self.refused += refused
        self.errors += taken

    def _proxy(self, fault: Fault) -> Proxy:
        return self._proxies[int(fault.choice * len(self._proxies))]

    def _heal_after(self, seconds: float, proxy: Proxy) -> None:
        began = time.time()

        def heal() -> None:
            proxy.heal()
            self.outages.append((began, time.time()))

        self._later(seconds, heal)

    @contextlib.contextmanager
    def _outage(self) -> Generator[None]:
        began = time.time()
        yield
        self.outages.append((began, time.time()))
