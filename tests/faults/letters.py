"""Runs that wait for tokens and items, and the completions and items that the driver sends them."""

import contextlib
import heapq
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from taskflow import RunHandle, RunNotFoundError, StoreUnavailableError, StreamClosedError, wait
from tests.faults import durable_tasks, talking_tasks, tasks
from tests.faults.durable_tasks import Leg, Trip
from tests.faults.readers import Readers
from tests.faults.talking_tasks import Exam, Letter, Question, Tale
from tests.faults.tasks import Done

Trigger = Callable[[str, Callable[[], RunHandle[Done]]], RunHandle[Done]]
LEGS: Sequence[Leg] = ("step", "step", "flaky", "wrong", "chance", "both", "wait", "child", "own")
AGAIN_SECONDS = 0.5
CANCELED = 0.1


@dataclass(slots=True)
class Completion:
    """One try to complete a token. ``was_first`` is the answer, None when there was none."""

    token: str
    value: str
    was_first: bool | None = None


@dataclass(slots=True)
class Send:
    """One item that was sent to a run. The run has it if ``is_certain``, and otherwise may have it."""

    question: Question
    is_certain: bool = False


class Letters:
    """Triggers those runs, and sends them completions and items. The seed decides which and when.

    Attributes:
        completions: All tries to complete a token, by token.
        sends: The items that each run was sent, in order.
        tales: The number of items that each run writes in an attempt.
        exams: The number up to which each run takes questions.
        readers: Readers of some of the tales.
    """

    def __init__(self, dice: random.Random, trigger: Trigger) -> None:
        self.completions: dict[str, list[Completion]] = defaultdict(list[Completion])
        self.sends: dict[str, list[Send]] = defaultdict(list[Send])
        self.tales: dict[str, int] = {}
        self.exams: dict[str, int] = {}
        self.readers = Readers()
        self._dice, self._trigger = dice, trigger
        self._numbers = itertools.count(1)
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def durable(self) -> None:
        """Trigger a durable run of steps, waits and children, of which some fail or die on the way."""
        legs: list[Leg] = ["step", *self._dice.choices(LEGS, k=self._dice.randint(2, 5)), "step"]
        self._durable("durable", legs)

    def durable_letter(self) -> None:
        """Trigger a durable run that waits for a token and for questions, between its steps."""
        asks = self._dice.randint(0, 2)
        token = self._token()
        legs: list[Leg] = ["token", "step"]
        legs.extend("ask" for _ in range(asks))
        self._dice.shuffle(legs)
        with self._asking(asks - 1):
            handle = self._durable("durable letter", ["step", *legs], token)
        self._ask(handle.id, asks - 1)

    def token(self) -> None:
        """Trigger up to three runs that wait for one token."""
        token = self._token()
        for _ in range(self._dice.randint(1, 3)):
            self._waiter(token)

    def tale(self) -> None:
        """Trigger a run that writes items."""
        task = self._dice.choice((talking_tasks.teller, talking_tasks.ateller))
        payload = Tale(
            items=self._dice.randint(1, 60), seconds=self._dice.uniform(0, 3), fails=self._dice.choice((0, 0, 1, 2))
        )
        handle = self._trigger("tale", lambda: task.trigger(payload))
        self.tales[handle.id] = payload.items
        self.readers.follow(handle.id)

    def exam(self) -> None:
        """Trigger a run that takes questions, and send them."""
        task = self._dice.choice((talking_tasks.examined, talking_tasks.aexamined))
        exam = Exam(last=self._dice.randint(0, 4), holds=self._dice.random() < 0.3)
        with self._asking(exam.last):
            handle = self._trigger("exam", lambda: task.trigger(exam))
        self.exams[handle.id] = exam.last
        self._ask(handle.id, exam.last)

    def tell_due(self) -> None:
        """Send the completions and items that are due."""
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()

    def tell_all(self) -> None:
        """Send all that remain, at once, because the store is there again."""
        while self._due:
            with contextlib.suppress(StoreUnavailableError):  # an unanswered call is sent again
                heapq.heappop(self._due)[2]()

    def _durable(self, kind: str, legs: Sequence[Leg], token: str = "") -> RunHandle[Done]:
        task, queue = (
            self._dice.choice((durable_tasks.trip, durable_tasks.atrip)),
            self._dice.choice((None, tasks.THREE)),
        )
        trip = Trip(
            legs=legs, token=token, seconds=self._dice.uniform(0, 0.3), waits=self._dice.uniform(5.1, 7),
            falters_at=self._dice.randint(0, len(legs)), fails=self._dice.choice((0, 0, 1, 2)),
            deaths=self._dice.choice((0, 0, 1)) if task is durable_tasks.trip else 0,
        )  # fmt: skip
        handle = self._trigger(kind, lambda: task.trigger(trip, queue=queue))
        self._maybe_cancel(handle)
        return handle

    def _maybe_cancel(self, handle: RunHandle[Done]) -> None:
        if self._dice.random() < CANCELED:
            self._later(8, handle.cancel)

    def _waiter(self, token: str) -> None:
        task = self._dice.choice((talking_tasks.waiter, talking_tasks.awaiter, talking_tasks.awaiter))
        letter = Letter(token=token, fails=self._dice.choice((0, 0, 0, 1)))
        self._maybe_cancel(self._trigger("token", lambda: task.trigger(letter)))

    def _token(self) -> str:
        """Make a token that is completed once or twice, in time, at about its timeout, or never."""
        times = self._dice.choices(((0, 4), (4, 8), (6, 7)), k=self._dice.choice((0, 1, 1, 2, 2)))
        timeout = 6.5 if not times or self._dice.random() < 0.4 else None
        token = wait.create_token(timeout=timeout).id
        for first, last in times:
            self._later(last - first, lambda: self._complete(token), first)
        return token

    def _complete(self, token: str) -> None:
        completion = Completion(token, f"driver.{next(self._numbers)}")
        self.completions[token].append(completion)
        try:
            completion.was_first = wait.complete_token(token, completion.value)
        except StoreUnavailableError:
            self._later(AGAIN_SECONDS, lambda: self._complete(token))
            raise

    @contextlib.contextmanager
    def _asking(self, last: int) -> Generator[None]:
        """Send questions also to a run whose trigger was not answered, because it may exist."""
        try:
            yield
        except StoreUnavailableError as error:
            if error.may_exist and error.run_id is not None:
                self._ask(error.run_id, last)
            raise

    def _ask(self, run_id: str, last: int) -> None:
        """Schedule the questions up to a number."""
        if last >= 0:
            self._later(2, lambda: self._send(run_id, Question(number=0), last))

    def _send(self, run_id: str, question: Question, last: int) -> None:
        """Send a question, and later the next one. Sends the same one again when it may not have arrived."""
        send = Send(question)
        self.sends[run_id].append(send)
        try:
            talking_tasks.questions.send(run_id, question)
        except StoreUnavailableError:
            again = Question(number=question.number, send=question.send + 1)
            self._later(AGAIN_SECONDS, lambda: self._send(run_id, again, last))
            raise
        except (StreamClosedError, RunNotFoundError):  # the run has failed, has all items, or was never made
            self.sends[run_id].remove(send)
            return
        send.is_certain = True
        if question.number < last:
            following = Question(number=question.number + 1)
            self._later(2, lambda: self._send(run_id, following, last))

    def _later(self, within: float, act: Callable[[], object], after: float = 0.0) -> None:
        at = time.monotonic() + after + self._dice.uniform(0, within)
        heapq.heappush(self._due, (at, next(self._numbers), act))
