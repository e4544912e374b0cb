"""Records as JSON between a server and its client: a run, a queue, a token, a batch, a log line.

Fields of the dataclasses under their own names. A field that the reader does not know is ignored, so that server and
client may differ by a version.
"""

import re
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from taskflow.models import Run

RecordT = TypeVar("RecordT")
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def record_document(record: object) -> Any:
    """Return a record as plain JSON values."""
    return _adapter(type(record)).dump_python(record, mode="json")


def record_of(kind: type[RecordT], document: object) -> RecordT:
    """Return the record of a document.

    Raises:
        ValueError: It is not one.
    """
    record: RecordT = _adapter(kind).validate_python(document)
    return record


def run_of(document: object) -> Run:
    """Return the run of a document. See ``record_of``."""
    run = record_of(Run, document)
    if run.reason is None or not run.reason.details:
        return run
    details = {name: _instant_or_value(value) for name, value in run.reason.details.items()}
    return replace(run, reason=replace(run.reason, details=details))


_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _instant_or_value(value: object) -> object:
    is_instant = isinstance(value, str) and _INSTANT.fullmatch(value)
    return datetime.fromisoformat(str(value)) if is_instant else value


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    known = _adapters.get(kind)
    if known is None:
        known = _adapters[kind] = TypeAdapter(kind)
    return known
