"""uvicorn around the application: stops although streams are open, trusts no proxy that is not named."""

import asyncio
import logging
import random
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Literal

import uvicorn
from starlette.applications import Starlette

from taskflow.errors import TaskflowError
from taskflow.server.heads import BoundedHeads
from taskflow.server.realtime.event_stream import CutStreams
from taskflow.server.state import ServerState
from taskflow.settings import Settings

log = logging.getLogger("taskflow.server")
_TAKE_OVER_SECONDS: Final = 10.0


class ListeningServer(uvicorn.Server):
    """A server that says when it takes connections, and at which port."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen, then say so. The port is the one that the system chose when 0 was asked for."""
        await super().startup(sockets=sockets)
        if self.started:
            self._on_listening(self.servers[0].sockets[0].getsockname()[1])


class Server(ListeningServer):
    """A server that ends open streams when it is asked to stop. uvicorn alone waits for their clients."""

    def __init__(self, config: uvicorn.Config, state: ServerState, on_listening: Callable[[int], None]) -> None:
        super().__init__(config, on_listening)
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: Any = None) -> None:
        """Serve until a signal."""
        self._loop = asyncio.get_running_loop()
        warming = self._loop.create_task(self._warm())  # kept, because a loop does not keep its tasks
        taking_over = self._loop.create_task(self._take_over())
        await super().serve(sockets)
        warming.cancel()
        taking_over.cancel()

    async def _warm(self) -> None:
        """Connect to the store before the first delivery of a webhook: senders wait for three seconds only."""
        try:
            await self._state.flow.engine.webhooks.awarm()
        except TaskflowError as error:
            log.warning("server.cold: the store did not answer at the start: %s", error)

    async def _take_over(self) -> None:
        """Go on with bulk actions whose server is gone, those of this server's own past too."""
        while True:
            try:
                await self._state.flow.engine.bulk_actions.atake_over()
            except TaskflowError as error:
                log.warning("bulk.waiting: %s", error)
            await asyncio.sleep(_TAKE_OVER_SECONDS * random.uniform(0.5, 1))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take SIGTERM or SIGINT: the first one ends streams and waits for requests, a second one does not wait."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._state.stopping.set)
        super().handle_exit(sig, frame)


def make_server(app: Starlette, host: str, port: int, on_listening: Callable[[int], None] = lambda _: None) -> Server:
    """Return a server for the application.

    Args:
        on_listening: Called with the port once the server takes connections.
    """
    state: ServerState = app.state.server
    config = config_of(app, state.flow.settings, host, port)
    logging.getLogger("uvicorn.error").addFilter(CutStreams())
    return Server(config, state, on_listening)


def config_of(
    app: Starlette, settings: Settings, host: str, port: int, lifespan: Literal["on", "off"] = "off"
) -> uvicorn.Config:
    """Return the configuration of uvicorn for an application."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedHeads,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.server_forwarded_allow_ips),
        forwarded_allow_ips=list(settings.server_forwarded_allow_ips),
        timeout_graceful_shutdown=round(settings.server_shutdown_grace.total_seconds()),
    )
