"""Tasks that no worker can serve, each in its own way, beside some that can be served. Import it in a node only."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, PlainSerializer, PlainValidator

from taskflow import Retry, task

ONCE = Retry(max_attempts=1)


class Opaque:
    """A class that pydantic knows nothing of."""


class Raises:
    """A type whose own schema raises."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        raise RuntimeError("no schema\nfor you")


class Leaves:
    """A type whose own schema ends the process."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        raise SystemExit(3)


def _broken_extra(schema: dict[str, Any]) -> None:
    raise RuntimeError("no description")


class Undescribed(BaseModel):
    """A payload that is validated and written as usual, and has no JSON Schema."""

    model_config = ConfigDict(json_schema_extra=_broken_extra)
    number: Annotated[int, PlainValidator(int), PlainSerializer(int)]


@task(id="br-opaque", retry=ONCE)
async def opaque(payload: Opaque) -> None:
    """Never called."""


@task(id="br-raises", retry=ONCE)
async def raises(payload: Raises) -> None:
    """Never called."""


@task(id="br-leaves", retry=ONCE)
async def leaves(payload: Leaves) -> None:
    """Never called."""


@task(id="br-output", retry=ONCE)
async def output(payload: int) -> Opaque:
    """Never called."""
    return Opaque()


@task(id="br-unknown", retry=ONCE)
async def unknown(payload: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821 - the point
    """Never called."""


@task(id="br-undescribed", retry=ONCE)
async def undescribed(payload: Undescribed) -> int:
    """Return the number."""
    return payload.number


async def _odd(payload: int) -> int:
    return payload + 1


_odd.__name__ = "no identifier"
task(id="br-odd", retry=ONCE)(_odd)


@task(id="br-fine", retry=ONCE)
async def fine(payload: int) -> int:
    """Return the payload."""
    return payload
