"""A plain Celery producer in a process of its own, which knows nothing of taskflow but may find its entry points."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.fleet import ROOT, Fleet

_BEGIN = """
from celery import Celery, chain, chord, group, signature
from kombu import Exchange, Queue
app = Celery("plain", broker={broker!r}, backend={backend!r})
app.conf.task_default_queue = {queue!r}
app.conf.task_queues = [Queue(
    {queue!r}, Exchange("taskflow", type={kind!r}), routing_key={queue!r}, queue_arguments={arguments!r}
)]
"""


def produce(fleet: Fleet, backend: str, code: str, *, executor: str = "process") -> str:
    """Run code of a producer to its end, with ``app`` at hand. Return what it printed.

    Args:
        backend: Its ``result_backend``.
    """
    broker = str(fleet.flow.celery.conf.broker_write_url)
    is_amqp = broker.startswith("amqp")
    begin = _BEGIN.format(
        broker=broker,
        backend=backend,
        queue=f"{fleet.environment}.small-1x.{executor}",
        kind="topic" if is_amqp else "direct",
        arguments={"x-queue-type": "quorum"} if is_amqp else None,
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + code],
        env={**fleet.env(TASKFLOW_TASKS=""), "PYTHONPATH": f"{entry_points(fleet.folder)}:{ROOT}"},
        cwd=fleet.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=40, check=False,
    )  # fmt: skip
    printed = done.stdout.decode()
    assert done.returncode == 0, printed
    return printed.strip()


def entry_points(folder: Path) -> Path:
    """Write the entry points of the project as an installed package has them, and return their folder."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        groups = tomllib.load(file)["project"]["entry-points"]
    installed = folder / "site"
    info = installed / "celery_taskflow_entries-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: celery-taskflow-entries\nVersion: 1\n")
    lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in names.items()) for group, names in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return installed
