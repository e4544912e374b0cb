"""The lifespan of an application with taskflow."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from taskflow.server.mounted.lifetime import lifetime


@asynccontextmanager
async def taskflow_lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Connect to the store before the first request and close the connections at the end.

    Use it as ``FastAPI(lifespan=taskflow_lifespan)``, or within a lifespan of your own:
    ``async with taskflow_lifespan(app): yield``. A store that is away does not keep the server from starting.

    Raises:
        SettingsError: A setting is wrong.
        NotOverHttpError: TASKFLOW_API_URL is set: verbs need no lifespan then.
    """
    async with lifetime():
        yield
