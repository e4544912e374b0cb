"""The session of one terminal: its loop, its signals, and what it shows when it starts and ends."""

import signal
import socket
import webbrowser
from pathlib import Path
from typing import Final

from taskflow.dev.followed_runs import FollowedRuns
from taskflow.dev.generations import Generations
from taskflow.dev.messages import Loaded
from taskflow.dev.orders import WorkersOrder
from taskflow.dev.process import Ended, Printed, ProcessEvent, Said
from taskflow.dev.run_lines import Page
from taskflow.dev.server import DevServer
from taskflow.dev.terminal import Terminal
from taskflow.dev.watching import Blind, Edited, Watch
from taskflow.errors import StoreUnavailableError
from taskflow.store.wire import StoreConfig
from taskflow.worker.launch.signal_queue import SignalQueue

SessionEvent = ProcessEvent | Edited | Blind
_LOOK_SECONDS: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MOST_FILES: Final = 3


class Session:
    """One ``taskflow dev``. On the main thread only.

    Args:
        workers_program: The module of the workers' supervisor.
        watched: The folders whose Python files are watched; none for no reload.
        opens_browser: Whether the first link that signs in is opened.

    Attributes:
        loaded: The report of the first code that was imported.
    """

    def __init__(
        self,
        workers_program: str,
        order: WorkersOrder,
        terminal: Terminal,
        *,
        watched: list[Path],
        opens_browser: bool = False,
    ) -> None:
        self._terminal, self._opens_browser = terminal, opens_browser
        self._events: SignalQueue[SessionEvent] = SignalQueue()
        self._watch = Watch(watched, self._events.put) if watched else None
        ready = "Ready: runs execute, and edits are taken." if watched else "Ready: runs execute."
        self._generations = Generations(
            workers_program, order, ready, self._events.put, terminal, self._on_loaded, self._on_serving
        )
        self._server: DevServer | None = None
        self._runs: FollowedRuns | None = None
        self._stops = 0
        self._is_server_new = False
        self.loaded: Loaded | None = None

    def serve_with(self, server_program: str, app: str | None, listener: socket.socket) -> None:
        """Also run a server, on a socket that listens."""
        self._server = DevServer(server_program, app, listener, self._events.put, self._terminal, self._on_link)

    def run(self) -> int:
        """Run until a signal, and return the exit code: 0 when everything ended in good order."""
        with self._events.signals(_SIGNALS):
            if self._watch:
                self._watch.start()
            self._generations.start()
            try:
                while self._goes_on():
                    self._handle(self._events.get(_LOOK_SECONDS))
                    self._generations.look()
            finally:
                self._stop_all(signal.SIGKILL)
                if self._watch:
                    self._watch.stop()
                if self._runs:
                    self._runs.close()
        return 1 if self._stops > 1 or self._generations.has_failed or not self._stops else 0

    def _goes_on(self) -> bool:
        if not self._stops and (self._watch is not None or self._generations.has_code):
            return True
        if not self._stops:  # nothing is left, and nothing is watched
            self._stops = 1
            self._generations.has_failed = True
            self._stop_all(signal.SIGTERM)
        return not self._generations.is_empty or bool(self._server and self._server.processes)

    def _handle(self, event: SessionEvent | signal.Signals | None) -> None:
        match event:
            case Said() | Printed() | Ended():
                if not self._generations.handle(event) and self._server:
                    self._server.handle(event)
            case Edited(paths):
                self._reload(paths)
            case Blind(why):
                self._terminal.warn(f"Edits are not seen any more: {why}. WATCHFILES_FORCE_POLLING=1 may help.")
            case signal.Signals():
                self._stop(event)
            case None:
                pass

    def _reload(self, paths: tuple[str, ...]) -> None:
        if self._stops:
            return
        more = f" and {len(paths) - _MOST_FILES} more" if len(paths) > _MOST_FILES else ""
        self._terminal.show(f"{', '.join(paths[:_MOST_FILES])}{more} changed", style="cyan")
        self._generations.start()

    def _stop(self, number: signal.Signals) -> None:
        self._stops += 1
        if self._stops == 1 and number != signal.SIGQUIT:
            self._terminal.show("Stopping: runs that execute may end. Ctrl-C again stops at once.", style="bold")
            self._stop_all(signal.SIGTERM)
        else:
            self._stops = max(2, self._stops)
            self._terminal.warn("Stopping at once. Runs that execute start again with the next workers.")
            self._stop_all(signal.SIGQUIT)

    def _stop_all(self, number: signal.Signals) -> None:
        self._generations.stop(number)
        if self._server:
            self._server.stop(signal.SIGTERM if number == signal.SIGQUIT else number)

    def _on_loaded(self, loaded: Loaded) -> None:
        for warning in loaded.warnings:
            self._terminal.warn(warning)
        if self.loaded is None:
            self.loaded = loaded
            store = f"{loaded.store_url if loaded.is_embedded else 'as configured'}"
            self._terminal.show(
                f"Environment {loaded.environment}, store {store}, nodes {', '.join(loaded.nodes)}\n"
                f"Tasks: {', '.join(loaded.tasks)}"
            )
            if self._server:
                self._is_server_new = True
                self._server.renew()
            self._follow(loaded)

    def _follow(self, loaded: Loaded) -> None:
        page = Page(f"{self._server.address}/{loaded.environment}" if self._server else "")
        config = StoreConfig(loaded.store_url, loaded.environment, loaded.shards)
        self._runs = FollowedRuns(config, page, self._terminal)
        try:
            self._runs.start()
        except StoreUnavailableError as error:
            self._terminal.warn(f"Runs are not shown: {error}")

    def _on_serving(self) -> None:
        if self._server and not self._is_server_new:
            self._server.renew()
        self._is_server_new = False

    def _on_link(self, link: str) -> None:
        assert self._server is not None
        self._terminal.show(f"Dashboard: {self._server.address}\nSign in, once: {link}", style="bold")
        if self._opens_browser:
            self._opens_browser = False
            webbrowser.open(link)
