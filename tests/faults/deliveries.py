"""Senders of webhooks that behave as real ones: each delivery is sent until it is answered 200, and sometimes twice.

The server between them and the store is killed and frozen meanwhile.
"""

import contextlib
import hashlib
import hmac
import queue
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException

from taskflow import Run, RunStatus
from tests.faults import webhook_tasks
from tests.faults.ledger import Ledger
from tests.support.fleet import Fleet
from tests.support.servers import HOST
from tests.support.webhook_server import ServerProcess

SENDERS = 4
CALM_SECONDS = (6.0, 12.0)
ANSWER_SECONDS = 4.0
PATIENCE_SECONDS = 60.0


class Senders:
    """Sends deliveries from threads of its own. The seed decides which are sent twice, and what the server suffers.

    Attributes:
        answers: For each delivery's id, the runs that its answers of 200 have named.
        errors: Answers that must not occur.
    """

    def __init__(self, seed: int, pace: float, fleet: Fleet) -> None:
        self.answers: dict[str, list[str]] = defaultdict(list)
        self.errors: list[str] = []
        self._dice, self._pace = random.Random(f"deliveries-{seed}"), pace
        self._server = ServerProcess(fleet, webhook_tasks.__name__)
        self._path = next(each.path for each in fleet.flow.engine.webhooks.endpoints() if each.task == "f-webhook")
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._statuses: Counter[str] = Counter()
        self._is_stopping = threading.Event()
        threads = [self._make, self._fault, *[self._send_all] * SENDERS]
        self._threads = [threading.Thread(target=each, name="sender", daemon=True) for each in threads]

    def start(self) -> None:
        """Start the server and the senders."""
        self._server.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Make no more deliveries, and return when all of them are answered 200."""
        self._is_stopping.set()
        for thread in self._threads[:2]:
            thread.join(PATIENCE_SECONDS)
        for _ in range(SENDERS):
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            self.errors.append(f"deliveries were not answered within {PATIENCE_SECONDS:g} s: {self._statuses}")
        self._server.kill()

    def runs(self) -> dict[str, str]:
        """Return the runs of accepted deliveries, with their kind."""
        return {run_id: "delivery" for named in list(self.answers.values()) for run_id in named}

    def told(self) -> str:
        """Return the numbers as a line for people."""
        answers = ", ".join(f"{count} {status}" for status, count in self._statuses.most_common())
        return f"{len(self.answers)} deliveries accepted; answers: {answers}"

    def _make(self) -> None:
        number = 0
        while not self._is_stopping.wait(self._dice.expovariate(self._pace)):
            for _ in range(self._dice.choice((1, 1, 1, 2, 3))):
                self._waiting.put(f"d-{number}")
            number += 1

    def _fault(self) -> None:
        dice = random.Random(self._dice.random())
        while not self._is_stopping.wait(dice.uniform(*CALM_SECONDS)):
            if dice.random() < 0.6:
                self._statuses["server killed"] += 1
                self._server.kill()
                self._server.start()
            else:
                self._statuses["server frozen"] += 1
                self._freeze(dice.uniform(0.5, ANSWER_SECONDS + 1))

    def _freeze(self, seconds: float) -> None:
        assert self._server.process is not None
        self._server.process.send_signal(signal.SIGSTOP)
        self._is_stopping.wait(seconds)
        self._server.process.send_signal(signal.SIGCONT)

    def _send_all(self) -> None:
        while (delivery := self._waiting.get()) is not None:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self._is_taken(delivery) and time.monotonic() < deadline:
                time.sleep(0.2)  # the pause of a sender before it tries again

    def _is_taken(self, delivery: str) -> bool:
        """Send a delivery. Returns whether it was answered 200."""
        body = f'{{"delivery": "{delivery}"}}'.encode()
        signature = hmac.new(webhook_tasks.SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": delivery, "X-GitHub-Event": "a"}
        connection = HTTPConnection(HOST, self._server.port, timeout=ANSWER_SECONDS)
        try:
            with contextlib.closing(connection):
                connection.request("POST", self._path, body, headers)
                answer = connection.getresponse()
                answer.read()
        except (OSError, HTTPException):
            self._statuses["no answer"] += 1
            return False
        self._statuses[f"{answer.status} {answer.getheader('x-taskflow-status', '')}".strip()] += 1
        if answer.status == 200:
            self.answers[delivery].append(answer.getheader("x-taskflow-run", ""))
        elif answer.status != 503:
            self.errors.append(f"{delivery} was answered {answer.status}")
        return answer.status == 200


def check_deliveries(answers: Mapping[str, Sequence[str]], records: Mapping[str, Run], ledger: Ledger) -> list[str]:
    """Check that each delivery made one run: the one that every answer named, and no other in the ledger."""
    seen = defaultdict[str, set[str]](set)
    for note in ledger.notes:
        if note.kind == "delivery":
            seen[note.words[0]].add(note.run_id)
    problems = [
        f"{delivery} made the runs {', '.join(sorted(runs))}" for delivery, runs in seen.items() if len(runs) > 1
    ]
    for delivery, named in answers.items():
        runs = set(named)
        if len(runs) != 1:
            problems.append(f"{delivery} was answered with the runs {', '.join(sorted(runs))}")
        if seen[delivery] - runs:
            problems.append(f"{delivery} made {', '.join(seen[delivery])} and was answered with {', '.join(runs)}")
        for run_id in runs:
            is_completed = run_id in records and records[run_id].status is RunStatus.COMPLETED
            if is_completed and run_id not in seen[delivery]:
                problems.append(f"{delivery} was accepted, and {run_id} completed without it")
    return problems
