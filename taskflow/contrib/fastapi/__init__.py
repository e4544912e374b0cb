"""taskflow in a FastAPI application: ``FastAPI(lifespan=taskflow_lifespan, exception_handlers=exception_handlers)``."""

from taskflow.contrib.fastapi.dashboard import dashboard_app
from taskflow.contrib.fastapi.dependencies import CurrentFlow, RunById, current_flow, run_by_id
from taskflow.contrib.fastapi.errors import exception_handlers
from taskflow.contrib.fastapi.lifespan import taskflow_lifespan
from taskflow.contrib.fastapi.streams import run_events

__all__ = [
    "CurrentFlow",
    "RunById",
    "current_flow",
    "dashboard_app",
    "exception_handlers",
    "run_by_id",
    "run_events",
    "taskflow_lifespan",
]
