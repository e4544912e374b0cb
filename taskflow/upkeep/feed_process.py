"""The process that feeds the history, apart from its node, because SQL must not share the node's interpreter.

Measured in one run on 2 cores: with the feed in a thread of a prefork node, its no-op runs went from 1.2 to 0.6 times
Celery's. The process has a low priority, and dies with its node.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Final

from pydantic import BaseModel

from taskflow.engine.alerts.engine import mail_server
from taskflow.engine.alerts.sending import MailServer
from taskflow.settings import Settings
from taskflow.store.events import EventGroup
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig
from taskflow.upkeep.feed import LEAD, alert_thread, feed_thread, sampling_thread
from taskflow.worker.launch.node_process import die_with
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.history")
NICENESS: Final = 19
"""Lowest priority, set before the first import, so that the feed never competes with runs."""
LOOK_SECONDS: Final = LEAD.total_seconds() / 3
STOP_SECONDS: Final = 5


class FeedOrder(BaseModel):
    """The settings of the process. They come on its standard input, because the store's address holds a password.

    Secrets of the settings are not among their JSON. ``smtp_url`` is passed beside them.
    """

    settings: Settings
    store_url: str
    smtp_url: str
    shard: int
    node_id: str
    loglevel: int = logging.INFO


class FeedProcess(RepeatingThread):
    """Keeps the feeding process of a shard while this node leads. Its thread is the node's."""

    def __init__(self, store: Store, settings: Settings, shard: int, node_id: str) -> None:
        super().__init__(f"taskflow-history-{shard}")
        self._group = EventGroup(store, shard)
        self._order = FeedOrder(
            settings=settings.model_copy(update={"smtp_url": None}),
            store_url=store.config.url,
            smtp_url=mail_server(settings).url,
            shard=shard,
            node_id=node_id,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the process, which lets another node lead."""
        super().stop()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def turn(self) -> float:
        """Start the process, if there is none and this node gets the lead."""
        if self._process is not None and self._process.poll() is None:
            return LOOK_SECONDS
        if self._process is not None:
            log.error("history.feeder_ended: with %s; another one is started", self._process.returncode)
            self._process = None
        if self._group.take_lead(self._order.node_id, LEAD):
            self._start_process()
        return LOOK_SECONDS

    def handle_error(self, error: Exception) -> float:
        """Log it; the next look tries again."""
        log.warning("history.unfed: %s", error)
        return LOOK_SECONDS

    def _start_process(self) -> None:
        """Start the process. On this thread, which lives as long as the node, because PR_SET_PDEATHSIG follows it."""
        order = self._order.model_copy(update={"loglevel": log.getEffectiveLevel()})
        process = subprocess.Popen(
            [sys.executable, "-m", "taskflow.upkeep.feed_process"],
            stdin=subprocess.PIPE,
            preexec_fn=_prepare(os.getpid()),
        )
        self._process = process
        assert process.stdin is not None
        process.stdin.write(order.model_dump_json().encode())
        process.stdin.close()


def _prepare(node: int) -> Callable[[], None]:
    """Return what the process does before its exec."""
    if sys.platform != "linux":
        return _lower_priority
    die = die_with(node)

    def prepare() -> None:
        _lower_priority()
        die()

    return prepare


def _lower_priority() -> None:
    os.nice(NICENESS)


def feed_processes(store: Store, settings: Settings, node_id: str) -> list[FeedProcess]:
    """Return the threads of a node that keep the feed, none where there is to be no history."""
    if settings.database_url == "none":
        return []
    return [FeedProcess(store, settings, shard, node_id) for shard in range(settings.shards)]


def main() -> None:
    """Feed until SIGTERM."""
    order = FeedOrder.model_validate_json(sys.stdin.buffer.read())
    logging.basicConfig(level=order.loglevel, format="[%(asctime)s: %(levelname)s/history] %(message)s")
    settings = order.settings
    store = Store(
        StoreConfig(
            url=order.store_url,
            environment=settings.environment,
            shards=settings.shards,
            timeout=max(settings.connect_timeout, timedelta(seconds=1)),
        )
    )
    threads: list[RepeatingThread] = [feed_thread(store, settings, order.shard, order.node_id)]
    if order.shard == 0:
        threads.append(alert_thread(store, settings, MailServer(order.smtp_url, settings.alert_sender or "")))
        threads.append(sampling_thread(store, settings))
    is_stopping = threading.Event()

    def leave(_number: int, _frame: FrameType | None) -> None:
        is_stopping.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the node passes Ctrl-C on
    for thread in threads:
        thread.start()
    is_stopping.wait()
    for thread in threads:
        thread.stop()
    threads[0].join(STOP_SECONDS - 1)


if __name__ == "__main__":
    main()
