"""The server of the session, exchanged for one with newer code while the port stays open."""

import secrets
import signal
import socket
from collections.abc import Callable

from taskflow.dev.listener import HOST
from taskflow.dev.messages import Listening, Note, Refused, SignedIn
from taskflow.dev.orders import ServerOrder
from taskflow.dev.process import DevProcess, Ended, Printed, ProcessEvent, Said
from taskflow.dev.terminal import Terminal


class DevServer:
    """The process that serves, and at an exchange also the next one: the old one ends once the next one listens.

    Connections that come in between wait in the socket's queue, so that no request is refused.

    Args:
        program: The module that serves.
        put: Called with the events of its processes.
        on_link: Called with each new link that signs in.
    """

    def __init__(
        self,
        program: str,
        app: str | None,
        listener: socket.socket,
        put: Callable[[ProcessEvent], None],
        terminal: Terminal,
        on_link: Callable[[str], None],
    ) -> None:
        self._program, self._app, self._listener, self._put = program, app, listener, put
        self._terminal, self._on_link = terminal, on_link
        self._secret = secrets.token_urlsafe(32)
        self._serving: DevProcess | None = None
        self._next: DevProcess | None = None
        self._leaving: list[DevProcess] = []
        self._is_asked_again = self._is_stopping = False

    @property
    def address(self) -> str:
        """The address, without a path."""
        return f"http://{HOST}:{self._listener.getsockname()[1]}"

    @property
    def processes(self) -> list[DevProcess]:
        """Those that have not ended."""
        return [*self._leaving, *filter(None, (self._serving, self._next))]

    def new_link(self) -> str:
        """Return a link that signs in once."""
        from taskflow.server.dashboard.sign_in.link_keys import make_key  # loads packages of the extra `server`

        return f"{self.address}/signin/link?key={make_key(self._secret)}"

    def renew(self) -> None:
        """Serve with the code as it is now. On the main thread only."""
        if self._next is not None:
            self._is_asked_again = True
            return
        self._is_asked_again = False
        order = ServerOrder(app=self._app, descriptor=self._listener.fileno(), secret=self._secret)
        self._next = DevProcess(self._program, order, self._put)
        self._next.start(pass_fds=(self._listener.fileno(),))

    def stop(self, number: signal.Signals) -> None:
        """End all of its processes."""
        self._is_stopping = True
        for process in self.processes:
            process.signal(number)

    def handle(self, event: ProcessEvent) -> None:
        """Act on an event of one of its processes."""
        match event:
            case Said(process, Listening()) if process is self._next:
                self._exchange(process)
            case Said(_, SignedIn()):
                self._on_link(self.new_link())
            case Said(_, Note(text=text)):
                self._terminal.show(text)
            case Said(_, Refused(why=why)):
                self._terminal.fail(f"The dashboard can't be served with this code: {why}")
            case Printed(_, line):
                self._terminal.show_output(line)
            case Ended(process):
                self._handle_end(process)
            case _:
                pass

    def _exchange(self, process: DevProcess) -> None:
        if self._serving is not None:
            self._leaving.append(self._serving)
            self._serving.signal(signal.SIGTERM)
        else:
            self._on_link(self.new_link())
        self._serving, self._next = process, None
        if self._is_asked_again and not self._is_stopping:
            self.renew()

    def _handle_end(self, process: DevProcess) -> None:
        if process in self._leaving:
            self._leaving.remove(process)
            return
        if process is self._serving:
            self._serving = None
        else:
            self._next = None
        if self._is_stopping:
            return
        ended = f"The dashboard's process ended with code {process.exitcode}."
        if self._serving is None:
            self._terminal.fail(f"{ended} The next edit that can be served starts it again.")
        else:  # code that was edited between the start of its workers and that of its server
            self._terminal.warn(f"{ended} The one with the code before this edit keeps serving.")
        if self._is_asked_again:
            self.renew()
