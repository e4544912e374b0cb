"""``task.s(...)`` and ``task.si(...)``: signatures for Celery's ``chain``, ``group`` and ``chord``.

Each member becomes a run. The arguments are checked as far as they are known before anything is sent.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, overload

from pydantic_core import PydanticSerializationError, from_json, to_jsonable_python

from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import PayloadError

if TYPE_CHECKING:  # a process that only declares tasks does not load Celery
    from taskflow.broker.signatures import Signature

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OutputT = TypeVar("OutputT")
Params = ParamSpec("Params")
_NOT_GIVEN: Final = object()


class PayloadSignatures(Generic[PayloadT, ResultT]):
    """Signatures of a task with one payload, or none."""

    definition: TaskDefinition

    @overload
    def s(self) -> "Signature[ResultT]": ...
    @overload
    def s(self, payload: PayloadT) -> "Signature[ResultT]": ...
    def s(self, payload: object = _NOT_GIVEN) -> "Signature[Any]":
        """Return a Celery signature. Without a payload it takes the result of the task before it in a chain.

        Raises:
            PayloadError: The payload does not fit. Nothing is sent.
            NotOverHttpError: This process reaches a server only, and has no Celery app.
        """
        given = () if payload is _NOT_GIVEN else (payload,)
        return _signature(self.definition, _checked(self.definition, given), {})

    @overload
    def si(self: "PayloadSignatures[None, OutputT]", payload: None = None) -> "Signature[OutputT]": ...
    @overload
    def si(self, payload: PayloadT) -> "Signature[ResultT]": ...
    def si(self, payload: object = None) -> "Signature[Any]":
        """Return a Celery signature that takes no result of another task. See ``s``."""
        given = () if self.definition.payload is None and payload is None else (payload,)
        return _signature(self.definition, _checked(self.definition, given), {}, is_immutable=True)


class CallSignatures(Generic[Params, ResultT]):
    """Signatures of a task with several parameters."""

    definition: TaskDefinition

    def s(self, *args: object, **kwargs: object) -> "Signature[ResultT]":
        """Return a Celery signature. In a chain the result of the task before comes first: ``charge.s(amount=2)``.

        Raises:
            PayloadError: An argument has no parameter, or no JSON. Types are checked when the signature is sent.
            NotOverHttpError: This process reaches a server only, and has no Celery app.
        """
        task = self.definition
        if task.parameters is not None:
            task.parameters.bind_some(args, kwargs)
        try:
            written: Any = to_jsonable_python([args, kwargs], by_alias=False, round_trip=True, inf_nan_mode="constants")
        except PydanticSerializationError as error:
            raise PayloadError(task.id, f"{error}.") from None
        return _signature(task, *written)

    def si(self, *args: Params.args, **kwargs: Params.kwargs) -> "Signature[ResultT]":
        """Return a Celery signature that takes no result of another task. See ``s``.

        Raises:
            PayloadError: An argument is missing, is unknown or does not fit. Nothing is sent.
        """
        task = self.definition
        if task.parameters is None or task.payload is None:
            raise TypeError(f"Task {task.id!r} takes one payload")
        document: Any = from_json(task.payload.dump(task.parameters.bind(args, kwargs)))
        return _signature(task, *task.parameters.split(document), is_immutable=True)


def _checked(task: TaskDefinition, payload: Sequence[object]) -> Sequence[object]:
    if payload and task.payload is None:
        raise PayloadError(task.id, "the task takes none.")
    return [from_json(task.payload.dump(each)) for each in payload] if task.payload else ()


def _signature(
    task: TaskDefinition, args: Sequence[object], kwargs: Mapping[str, object], *, is_immutable: bool = False
) -> "Signature[Any]":
    from taskflow.app import TaskFlow
    from taskflow.broker.signatures import make_signature

    return make_signature(TaskFlow.current().celery, task.id, args, kwargs, is_immutable=is_immutable)
