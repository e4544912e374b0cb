"""The server over the standard input and output of this process."""

import asyncio
import signal

from mcp.server.stdio import stdio_server

from taskflow.mcp_server.server import make_server
from taskflow.mcp_server.session import Session


def serve_stdio(session: Session) -> None:
    """Serve one client until it closes the input. SIGINT ends the process at once, as SIGTERM does.

    Python's own handler would wait for the thread that reads the input, which ends with the client only.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_serve(session))


async def _serve(session: Session) -> None:
    server = make_server(lambda _: session)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
