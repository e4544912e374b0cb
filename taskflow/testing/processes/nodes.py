"""The worker processes of a test session: one for each executor that its tasks need."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from taskflow.app import TaskFlow
from taskflow.broker.queues import shared_queue
from taskflow.definition.registry import Registry
from taskflow.testing.moved_clock import CLOCK_VARIABLE
from taskflow.worker.launch.node_process import die_with

_APP: Final = "taskflow.testing.processes.node_app"
_ASYNC_POOL: Final = "taskflow.worker.coroutines.pool:AsyncPool"
_CONCURRENCY: Final = {"process": 4, "async": 100}
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.02
_SHOWN: Final = 3000


class WorkerProcesses:
    """Starts workers, and ends them and all that they have started.

    Args:
        environ: The settings, as environment variables.
        clock_file: The file of the tests' clock.
    """

    def __init__(self, flow: TaskFlow, folder: Path, environ: Mapping[str, str], clock_file: Path) -> None:
        self._flow, self._folder = flow, folder
        self._environ = {**os.environ, **environ, CLOCK_VARIABLE: str(clock_file)}
        self._environ |= {"CELERY_CUSTOM_WORKER_POOL": _ASYNC_POOL}
        self._environ["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._modules: set[str] = set()

    @property
    def count(self) -> int:
        """The number of workers."""
        return len(self._processes)

    def serve(self, registry: Registry) -> None:
        """Have workers that know all tasks which can be imported, and wait until they are up."""
        modules = importable_modules(registry)
        if modules <= self._modules and self._processes:
            return
        self.close()
        self._modules = modules
        self._environ["TASKFLOW_TASKS"] = ",".join(sorted(modules))
        executors = {definition.executor for definition in registry if definition.module in modules}
        for executor in sorted(executors or {"process"}):
            self._start(executor)
        self.await_up()

    def await_up(self) -> None:
        """Wait until all have registered with the store.

        Raises:
            RuntimeError: One has ended, or does not come up.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while len(self._flow.engine.nodes.list()) < self.count:
            for executor, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"The {executor} worker of the tests ended:\n{self._said(executor)}")
            if time.monotonic() > deadline:
                said = "\n".join(map(self._said, self._processes))
                raise RuntimeError(f"The workers of the tests did not come up within {_PATIENCE_S:g} s:\n{said}")
            time.sleep(_POLL_S)

    def close(self) -> None:
        """End the workers, at once."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def _start(self, executor: str) -> None:
        settings = self._flow.settings
        queues = ",".join(shared_queue(settings.environment, machine, executor) for machine in self._flow.presets)
        pool = ("-P", "custom") if executor == "async" else ("-P", "prefork", "-O", "fair")
        command = [
            sys.executable, "-m", "celery", "-A", _APP, "worker", "-Q", queues, "-c", str(_CONCURRENCY[executor]),
            "-n", f"tests-{executor}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle", *pool,
        ]  # fmt: skip
        with self._log(executor).open("wb") as output:
            self._processes[executor] = subprocess.Popen(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
            )

    def _log(self, executor: str) -> Path:
        return self._folder / f"worker-{executor}.log"

    def _said(self, executor: str) -> str:
        return self._log(executor).read_text(errors="replace")[-_SHOWN:]


def importable_modules(registry: Registry) -> set[str]:
    """Return the modules of tasks that a worker can import."""
    return {definition.module for definition in registry if definition.module in sys.modules} - {"__main__"}


def as_variables(settings: Mapping[str, object]) -> dict[str, str]:
    """Return settings as environment variables."""
    return {f"TASKFLOW_{name.upper()}": _text(value) for name, value in settings.items()}


def _text(value: object) -> str:
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)
