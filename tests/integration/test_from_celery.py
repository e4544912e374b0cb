"""The guide from Celery as its readers follow it: its own code, before, in the middle and after, with a ledger."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskflow import Settings, TaskFlow, runs
from tests.support.connections import close_connections
from tests.support.fleet import ROOT
from tests.support.processes import spawn, stop_group, tail
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

GUIDE = ROOT / "docs" / "guides" / "from-celery.md"
LEDGER = """
import os


def write(line):
    with open(os.environ["SHOP_LEDGER"], "a") as ledger:
        ledger.write(line + "\\n")
"""
TASKS = ("shop.tasks", "shop.schedule")
S = 60


class Shop:
    """The project of the guide: a folder for each step, the processes that run, and the ledger of effects."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.expected: Counter[str] = Counter()
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SHOP_REDIS": redis_url,
            "SHOP_LEDGER": str(self.ledger),
            "TASKFLOW_REDIS_URL": redis_url,
            "TASKFLOW_ENVIRONMENT": "shop",
            "TASKFLOW_DATABASE_URL": "none",
            "TASKFLOW_HOME": str(folder),
        }
        self.flow = TaskFlow(
            Settings.read(redis_url=redis_url, environment="shop", database_url="none", home=folder, tasks=())
        )
        self._processes: list[subprocess.Popen[bytes]] = []
        blocks = re.findall(r"```python\n# (\w+)/shop/(\w+\.py)\n(.*?)```", GUIDE.read_text(), re.S)
        for step in ("before", "middle", "after"):
            package = folder / step / "shop"
            package.mkdir(parents=True)
            (package / "__init__.py").touch()
            (package / "ledger.py").write_text(LEDGER)
            inherited = "before" if step == "middle" else step
            for of, name, code in sorted(blocks, key=lambda block: block[0] == step):
                if of in (inherited, step):
                    (package / name).write_text(code)

    def start(self, step: str, *command: str, tasks: str = "") -> "subprocess.Popen[bytes]":
        """Start a process of a step's code."""
        log = self.folder / f"{len(self._processes)}.log"
        env = {**self.env, "TASKFLOW_TASKS": tasks}
        with log.open("wb") as output:
            process = spawn([sys.executable, "-m", *command], env=env, cwd=self.folder / step, output=output)
        self._processes.append(process)
        return process

    def call(self, step: str, code: str, *, tasks: str = "") -> None:
        """Execute code of a caller."""
        env = {**self.env, "TASKFLOW_TASKS": tasks}
        call = [sys.executable, "-c", f"from shop.orders import *\n{code}"]
        done = subprocess.run(call, env=env, cwd=self.folder / step, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def order(self, step: str, name: str, *, tasks: str = "") -> None:
        """Place three orders, remind of one, and close a day of two more; note what this is to do, once each."""
        orders = [f"{name}{number}" for number in range(3)]
        for each in orders:
            self.expect("charge", f"{each} 9.90")
            self.expect("mail", f"{each} paid")
        self.expect("mail", f"{name}0 reminder")
        closed = [f"{name}-a", f"{name}-b"]
        for each in closed:
            self.expect("charge", f"{each} 1.00")
        self.expect("report", ",".join(closed))
        code = f"for each in {orders}: place(each)\nremind({orders[0]!r})\nclose({name!r}, ['a', 'b'])"
        self.call(step, code, tasks=tasks)

    def expect(self, task: str, effect: str) -> None:
        """Note an effect, and the success of its task."""
        self.expected[f"{task} {effect}"] += 1
        self.expected[f"success shop.{task}"] += 1

    def effects(self) -> "Counter[str]":
        """Return the lines of the ledger but those of the schedule."""
        return Counter(line for line in self.ledger.read_text().splitlines() if "sweep" not in line)

    def sweeps(self) -> int:
        """Return how often the schedule's task was executed."""
        return self.ledger.read_text().splitlines().count("sweep 7")

    def settle(self, what: str) -> None:
        """Wait until everything that was ordered is done, and find nothing else."""
        try:
            wait_until(lambda: not self.expected - self.effects(), what, timeout=S)
        except AssertionError:
            logs = "\n".join(tail(log, 40) for log in sorted(self.folder.glob("*.log")))
            raise AssertionError(f"{what}: missing {self.expected - self.effects()}\n{logs}") from None
        assert self.effects() == self.expected

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """Stop a process as its user does, and wait for its end."""
        stop_group(process, 60)
        self._processes.remove(process)

    def report(self, step: str) -> str:
        """Return the report of ``taskflow adopt`` on a step's code."""
        call = [sys.executable, "-m", "taskflow", "adopt", "shop.celery:app"]
        done = subprocess.run(
            call, env=self.env, cwd=self.folder / step, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self) -> None:
        """Stop all processes."""
        for process in [*self._processes]:
            self.stop(process)

    def leave(self) -> None:
        """Stop all processes, and close the connections of the test's own app."""
        self.close()
        close_connections(self.flow.celery)
        self.flow.close()


@pytest.fixture
def shop(tmp_path: Path, valkey: RedisServer) -> Iterator[Shop]:
    """The project, on a broker of its own."""
    made = Shop(tmp_path, valkey.url)
    yield made
    made.leave()


@pytest.mark.timeout(400)
def test_a_project_moves_over_and_loses_nothing(shop: Shop) -> None:
    """Each order's effects are there once, whichever side of a step it was placed on."""
    worker = shop.start("before", "celery", "-A", "shop.celery", "worker", "-Q", "celery,emails", "-c", "2")
    beat = shop.start("before", "celery", "-A", "shop.celery", "beat", "-s", str(shop.folder / "beat"))
    shop.order("before", "b")
    shop.settle("the orders before")
    wait_until(lambda: shop.sweeps() >= 1, "a tick of beat", timeout=S)

    shop.order("before", "m")  # of the last caller before the routes change: retries and countdowns are under way
    shop.start("after", "taskflow", "worker", tasks="shop.tasks")
    shop.order("middle", "n")
    shop.settle("the orders in the middle")
    shop.flow.set_default()
    moved = Counter(run.task_id for run in runs.list(limit=100))
    assert moved == {"shop.charge": 5, "shop.mail": 4, "shop.report": 1}, "the new workers executed the orders n"

    shop.order("middle", "o")
    shop.stop(beat)
    shop.stop(worker)
    ticks = shop.sweeps()
    shop.start("after", "taskflow", "worker", tasks=",".join(TASKS))
    shop.order("after", "p", tasks=",".join(TASKS))
    shop.settle("the orders after")
    wait_until(lambda: shop.sweeps() >= ticks + 2, "two ticks of the schedule", timeout=S)
    shop.close()
    swept = [run for run in runs.list(limit=500) if run.task_id == "shop.sweep" and run.status == "COMPLETED"]
    assert len(swept) == shop.sweeps() - ticks
    assert shop.effects() == shop.expected


@pytest.mark.timeout(120)
def test_the_report_on_the_project_has_the_declarations_of_the_guide(shop: Shop) -> None:
    """A reader of the guide finds there what the command prints."""
    report, guide = shop.report("before"), GUIDE.read_text()
    assert "@task(id='shop.charge', retry=Retry(max_attempts=6, min_delay=1, factor=2, max_delay=600))" in report
    assert '@task(id="shop.charge", retry=Retry(max_attempts=6, min_delay=1, max_delay=600))' in guide
    assert "queue='emails'" in report
    assert "@schedules.task(id='beat-sweep', every=2.0)\n    def beat_sweep() -> None: sweep.trigger(days=7)" in report
    assert "shop.tasks.count: task_success" in report
