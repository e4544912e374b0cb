"""A tool: its name, its arguments, and the function that answers a call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import mcp_types as types
from pydantic import BaseModel, ConfigDict

from taskflow.mcp_server.session import Session

Document: TypeAlias = Mapping[str, Any]
"""The result of a tool: plain JSON values by name."""


class Arguments(BaseModel):
    """The arguments of a tool. A misspelt one is refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        description: Read by the assistant's model, which chooses tools by it.
        answer: Gets the caller and the arguments, which are of the type ``arguments``.
        is_write: Whether it changes anything. Only callers that may write are offered it.
        is_destructive: Whether it can end work that somebody wants.
        is_idempotent: Whether a second call with the same arguments changes nothing more.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    answer: Callable[[Session, Any], Awaitable[Document]]
    is_write: bool = False
    is_destructive: bool = False
    is_idempotent: bool = True

    def listed(self) -> types.Tool:
        """Return the tool as clients list it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.model_json_schema(),
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=not self.is_write,
                destructive_hint=self.is_destructive,
                idempotent_hint=self.is_idempotent,
                open_world_hint=False,
            ),
        )
