"""Answers to taskflow's errors: ``FastAPI(exception_handlers=exception_handlers)``."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from taskflow import BrokerUnavailableError, PayloadError, RunNotFoundError, StoreUnavailableError


async def _unknown_run(_: Request, error: RunNotFoundError) -> Response:
    return _problem(404, f"There is no run {error.run_id}, or it ended so long ago that it is forgotten.")


async def _wrong_payload(_: Request, error: PayloadError) -> Response:
    return _problem(422, error.reason)


async def _store_away(_: Request, error: StoreUnavailableError) -> Response:
    """Name the run that may exist, so that a client looks before it triggers again."""
    run_id = error.run_id if error.may_exist else None
    return _problem(503, "Background work is not available at the moment.", {"run_id": run_id} if run_id else {})


async def _broker_away(_: Request, __: BrokerUnavailableError) -> Response:
    return _problem(503, "The request was taken, and its run starts later than usual. Do not send it again.")


def _problem(status: int, detail: str, more: dict[str, str] | None = None) -> Response:
    headers = {"retry-after": "5"} if status == 503 else None
    return JSONResponse({"detail": detail, **(more or {})}, status, headers)


exception_handlers: Final[dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    RunNotFoundError: _unknown_run,
    PayloadError: _wrong_payload,
    StoreUnavailableError: _store_away,
    BrokerUnavailableError: _broker_away,
}
"""404 for an unknown run, 422 for a payload that does not fit, 503 while the store or the broker is away.

The answers have FastAPI's shape, ``{"detail": ...}``, and no addresses.
"""
