"""Types of a task's payload and output. Validation and JSON; no storage and no limits of size."""

from pydantic import ValidationError
from pydantic_core import from_json, to_json, to_jsonable_python

from taskflow.definition.documents.adapter import Adapter, UnwritableError, explain
from taskflow.definition.documents.annotation import Annotation
from taskflow.definition.documents.differences import first_difference
from taskflow.definition.documents.escaping import can_be_escaped, escaped_value
from taskflow.definition.documents.readable import read_json, unreadable_value
from taskflow.definition.documents.redaction import argsrepr as argsrepr
from taskflow.definition.documents.unserialisable import find_non_finite, find_unserialisable
from taskflow.errors import OutputError, PayloadError


class PayloadType:
    """The type of a task's payload: its annotation, resolved on first use. Without one it is any JSON.

    Stored payloads are JSON with field names for keys. NaN and infinities are refused.
    """

    __slots__ = ("_adapter", "_annotation", "_task_id")

    def __init__(self, task_id: str, annotation: Annotation) -> None:
        self._task_id = task_id
        self._annotation = annotation
        self._adapter: Adapter | None = None

    @property
    def annotation(self) -> Annotation:
        """The annotation, which may not be resolved yet."""
        return self._annotation

    def dump(self, payload: object) -> bytes:
        """Return the JSON of a payload: an instance of the annotated type, or data that validates as one.

        Raises:
            PayloadError: The payload does not fit. The text names each field and never a value.
            DefinitionError: The annotation cannot be used.
        """
        adapter = self._adapter or self.prepare()
        try:
            return adapter.dump(payload)
        except ValidationError as invalid:
            raise PayloadError(self._task_id, f"{explain(invalid)}.") from None
        except UnwritableError as error:
            raise PayloadError(self._task_id, f"{error}.") from None

    def load(self, document: bytes) -> object:
        """Return the payload of stored JSON, for the function to take.

        Raises:
            PayloadError: The payload does not fit (any more): the task has changed since the run was made.
            DefinitionError: The annotation cannot be used.
        """
        adapter = self._adapter or self.prepare()
        try:
            return adapter.read(document)
        except ValidationError as invalid:
            raise PayloadError(self._task_id, f"{explain(invalid)}.") from None

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of the payload, empty when pydantic has none.

        Raises:
            DefinitionError: The annotation cannot be used.
        """
        return (self._adapter or self.prepare()).json_schema()

    def prepare(self) -> Adapter:
        """Resolve the annotation now rather than on first use.

        Raises:
            DefinitionError: The annotation cannot be used.
        """
        self._adapter = self._annotation.adapter()
        return self._adapter


class OutputType:
    """The type of a task's output: its return annotation; without one the type of each value.

    NaN and infinities are refused, as in payloads.
    """

    __slots__ = ("_adapter", "_annotation")

    def __init__(self, annotation: Annotation | None) -> None:
        self._annotation = annotation
        self._adapter: Adapter | None = None

    def dump(self, value: object) -> bytes:
        """Return the JSON of a returned value. A lone surrogate in a text is stored escaped: the work is done.

        Raises:
            OutputError: The value is not of the annotated type, or not JSON. The text names the place and its type.
            DefinitionError: The annotation cannot be used.
        """
        adapter = self._adapter or self.prepare()
        try:
            return adapter.write(value) if adapter else write_untyped(value)
        except UnwritableError as error:
            document = adapter.write_escaped(value) if adapter else _write_escaped(value)
            if document is not None:
                return document
            remedy = (
                f"Return {self._annotation.text}" if self._annotation else "Return a model, a dataclass or plain data"
            )
            raise OutputError(f"The output cannot be stored: {error}. {remedy}.") from error

    def load(self, document: bytes) -> object:
        """Return the output of stored JSON.

        Raises:
            OutputError: The output does not fit the annotation: another version of the task wrote it.
            DefinitionError: The annotation cannot be used.
        """
        adapter = self._adapter or self.prepare()
        try:
            return adapter.read(document) if adapter else read_json(document)
        except ValidationError as invalid:
            reason = f"{explain(invalid)}. Another version of the task may have written it."
            raise OutputError(f"The stored output does not fit the task's return annotation: {reason}") from None

    def prepare(self) -> Adapter | None:
        """Resolve the annotation now rather than on first use.

        Raises:
            DefinitionError: The annotation cannot be used.
        """
        self._adapter = self._annotation.adapter() if self._annotation else None
        return self._adapter


def _write_escaped(value: object) -> bytes | None:
    try:
        plain = to_jsonable_python(value, by_alias=False, inf_nan_mode="constants")
        return write_untyped(escaped_value(plain)) if can_be_escaped(plain) else None
    except Exception:  # noqa: BLE001 - as below
        return None


def write_untyped(value: object) -> bytes:
    """Return the JSON of a value without an annotation.

    Raises:
        UnwritableError: It is not JSON. The text names the place and its type.
    """
    try:
        document = to_json(value, by_alias=False, inf_nan_mode="constants")
        arrived = from_json(document, allow_inf_nan=False)
        place = None if arrived == value else first_difference(value, arrived, may_be_plain=True)
    except Exception as error:  # the value's own code may raise anything
        fault = (
            find_unserialisable(value)
            or find_non_finite(value)
            or unreadable_value(value)
            or f"$ is of type {type(value).__name__}"
        )
        raise UnwritableError(f"{fault}, which JSON cannot carry") from error
    if place:
        raise UnwritableError(f"{place} has a key that is no text, or stands there twice, which JSON cannot carry")
    return document
