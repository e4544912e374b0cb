"""The server over the standard input and output of this process."""

import asyncio

from mcp.server.stdio import stdio_server

from taskflow.mcp_server.server import make_server
from taskflow.mcp_server.session import Session


def serve_stdio(session: Session) -> None:
    """Serve one client until it closes the input."""
    asyncio.run(_serve(session))


async def _serve(session: Session) -> None:
    server = make_server(lambda _: session)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
