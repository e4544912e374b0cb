"""Messages of the session's processes to the session: marked lines of JSON among the lines that they print."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from taskflow.worker.launch.reports import MARK, report


class Loaded(BaseModel):
    """The code was imported and the store answers; the nodes start now."""

    kind: Literal["loaded"] = "loaded"
    environment: str
    store_url: str
    shards: int
    home: str
    is_embedded: bool
    version: str | None
    tasks: list[str]
    nodes: list[str]
    warnings: list[str]


class Refused(BaseModel):
    """The code can't be served. The process ends."""

    kind: Literal["refused"] = "refused"
    why: str


class NodeReady(BaseModel):
    """A node takes runs."""

    kind: Literal["ready"] = "ready"


class NodeRetired(BaseModel):
    """A node takes no runs any more."""

    kind: Literal["retired"] = "retired"


class Note(BaseModel):
    """A line for the user."""

    kind: Literal["note"] = "note"
    text: str


class Listening(BaseModel):
    """The server takes connections."""

    kind: Literal["listening"] = "listening"


class SignedIn(BaseModel):
    """The sign-in link was used."""

    kind: Literal["signed-in"] = "signed-in"


Message: TypeAlias = Annotated[
    Loaded | Refused | NodeReady | NodeRetired | Note | Listening | SignedIn, Field(discriminator="kind")
]
_ADAPTER: Final[TypeAdapter[Message]] = TypeAdapter(Message)


def send(message: Message) -> None:
    """Write a message."""
    report(message.model_dump_json())


def read_message(line: str) -> Message | None:
    """Return the message that a line holds, None for a line that the process or the user's code has printed."""
    _, mark, document = line.partition(MARK)
    if not mark:
        return None
    try:
        return _ADAPTER.validate_json(document)
    except ValidationError:
        return None
