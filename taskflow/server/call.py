"""One request as a handler sees it: its caller, and its parsed body and query."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from taskflow.app import TaskFlow
from taskflow.engine.engine import Engine
from taskflow.server.auth import Caller
from taskflow.server.state import ServerState

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(slots=True)
class Call:
    """One request.

    Attributes:
        parsed_body: The body as the route's model; None without a body, and where the handler reads it itself.
        parsed_query: The query as the route's model.
    """

    request: Request
    server: ServerState
    caller: Caller
    parsed_body: BaseModel | None = None
    parsed_query: BaseModel | None = None

    @property
    def flow(self) -> TaskFlow:
        """The application."""
        return self.server.flow

    @property
    def engine(self) -> Engine:
        """The engine, whose verbs with an ``a`` in front handlers await."""
        return self.server.flow.engine

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        return str(self.request.path_params[name])

    def body(self, model: type[ModelT]) -> ModelT:
        """Return the body, which the route declares as this model. A body that may be absent is the empty object."""
        if isinstance(self.parsed_body, model):
            return self.parsed_body
        raise TypeError(f"The route does not declare {model.__name__} as its body.")

    def query(self, model: type[ModelT]) -> ModelT:
        """Return the query, which the route declares as this model."""
        if isinstance(self.parsed_query, model):
            return self.parsed_query
        raise TypeError(f"The route does not declare {model.__name__} as its query.")

    def note_run(self, run_id: str) -> None:
        """Name a run in the access log."""
        self.request.state.run_id = run_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A success with headers, or with another status than the route's."""

    model: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int | None = None
