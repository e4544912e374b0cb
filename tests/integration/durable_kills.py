"""Durable runs whose worker is killed again and again. Ledger and journal show which steps ran twice."""

import random
import time
from collections import Counter

from taskflow import RunHandle
from tests.projects import durable_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer

RUNS_A_KILL = 2
STEPS = 5


class Kills:
    """A fleet with one node at a time, whose node is killed.

    Attributes:
        repeated: Steps that ran again although they were in the journal when their worker was killed.
    """

    def __init__(self, fleet: Fleet, server: RedisServer, executor: str, seed: int) -> None:
        self.repeated: list[tuple[str, str]] = []
        self._fleet, self._server, self._executor, self._seed = fleet, server, executor, seed
        self._random = random.Random(seed)
        self._handles: list[RunHandle[int]] = []
        self._kept: list[tuple[int, set[tuple[str, str]]]] = []
        self._kills = 0

    def __str__(self) -> str:
        twice = sum(times - 1 for times in self._counts().values())
        journaled = sum(len(kept) for _, kept in self._kept)
        return (
            f"durable {self._executor}: {len(self._handles)} runs of {STEPS} steps and 2 waits, {self._kills} kills "
            f"(seed {self._seed}), {journaled} times a step was journaled at a kill, {len(self.repeated)} of them ran "
            f"again; {twice} steps in progress ran twice"
        )

    def play(self, kills: int) -> None:
        """Let runs begin, kill their node, start another, and repeat. In the end all runs complete."""
        for _ in range(kills):
            node = self._fleet.start_node(executor=self._executor, concurrency=4)
            for _ in range(RUNS_A_KILL):
                task = tasks.hardy if self._executor == "process" else tasks.async_hardy
                self._handles.append(task.trigger("x"))
            time.sleep(self._random.uniform(0.2, 4.0))  # the seed decides the instant of the kill
            node.kill()
            self._kills += 1
            self._kept.append((len(self._fleet.ledger()), self._journaled()))
        self._fleet.start_node(executor=self._executor, concurrency=4)
        for handle in self._handles:
            assert handle.result(timeout=90) == sum(range(STEPS))
        self._judge()

    def _journaled(self) -> set[tuple[str, str]]:
        client = self._server.client()
        base = f"{{tf:{self._fleet.environment}:0}}:journal:"
        steps: set[tuple[str, str]] = set()
        for handle in self._handles:
            for entry in client.execute_command("HVALS", f"{base}{handle.id}"):
                kind, _, name = str(entry).split("\n", 1)[0].partition("\t")
                if kind == "sstep":
                    steps.add((handle.id, name))
        client.close()
        return steps

    def _judge(self) -> None:
        lines = self._fleet.ledger()
        assert set(self._counts()) == {(handle.id, f"s{n}") for handle in self._handles for n in range(STEPS)}
        for place, kept in self._kept:
            after = {(line[1], line[2]) for line in lines[place:] if line[0] == "step"}
            self.repeated += sorted(kept & after)

    def _counts(self) -> Counter[tuple[str, str]]:
        return Counter((line[1], line[2]) for line in self._fleet.ledger() if line[0] == "step")
