"""A payload on the bench: its text, its form, its faults, and what the page shows of them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup

from taskflow.definition.documents.exact_json import compact, is_array, is_object
from taskflow.server.dashboard.payloads.checks import Fault, Target, faults_of, placed_in
from taskflow.server.dashboard.payloads.documents import DocumentError, parse, write
from taskflow.server.dashboard.payloads.edits import EditError, edited
from taskflow.server.dashboard.payloads.fields import Form
from taskflow.server.dashboard.payloads.hidden import restored
from taskflow.server.dashboard.payloads.painting import painted
from taskflow.server.dashboard.payloads.schemas import is_secret_name, with_digits
from taskflow.server.dashboard.view.reader import READER

_LARGEST_FORM: Final = 256_000
_LABEL: Final = 60


@dataclass(frozen=True, slots=True)
class Workbench:
    """One payload.

    Attributes:
        form: Its form; None if the task has no schema, or the text is no JSON or too large, which ``no_form`` says.
        sent: The text that a trigger sends, which has the values of marks; "" if it is the same.
    """

    text: str
    faults: Sequence[Fault]
    form: Form | None
    no_form: str = ""
    sent: str = ""

    @property
    def painted(self) -> Markup | None:
        """The text in colours, with the lines of faults marked."""
        return painted(self.text, {fault.line for fault in self.faults if fault.line is not None})

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.text.count("\n") + 1


async def workbench(target: Target, text: str, edits: str = "", original: object = None) -> Workbench:
    """Return a payload after the edits of its form, checked.

    Args:
        original: The document with the values of the text's marks, see ``payloads.hidden``.
    """
    refused: list[Fault] = []
    if edits and edits != "[]":
        text, refused = await asyncio.to_thread(_edited, text, edits)
    given = await asyncio.to_thread(restored, READER.get().hiding, text, original)
    faults = [*refused, *given.faults]
    if given.text == text:
        faults += await faults_of(target, text)
        return await asyncio.to_thread(bench_of, target.schema, text, faults)
    checked = placed_in(text, [*faults, *await faults_of(target, given.text)])
    shown = [replace(fault, message=given.secrets.scrub(fault.message)) for fault in checked]
    return replace(await asyncio.to_thread(bench_of, target.schema, text, shown), sent=given.text)


def _edited(text: str, edits: str) -> tuple[str, list[Fault]]:
    """Return a text with the edits of its form, or as it is with the reason."""
    if len(text) > _LARGEST_FORM or len(edits) > _LARGEST_FORM:
        return text, [Fault((), "The payload is too large for the form, which changes nothing.")]
    try:
        return write(edited(parse(text), edits)), []
    except DocumentError as error:
        return text, [Fault((), f"The JSON can't be read, so that the form changes nothing: {error}", error.line)]
    except EditError as error:
        return text, [Fault(error.path, str(error))]


def bench_of(schema: Mapping[str, Any] | None, text: str, faults: Sequence[Fault]) -> Workbench:
    """Return a text with its form and faults, for pages that check by themselves."""
    if schema is None:
        return Workbench(text, faults, None, "No schema is known, so that the payload is any JSON.")
    if schema.get("type") == "null":
        return Workbench(text, faults, None, "The task takes no payload.")
    if len(text) > _LARGEST_FORM:
        return Workbench(text, faults, None, f"The payload has {len(text):,} characters, which is too much for a form.")
    try:
        document = parse(text)
    except DocumentError:
        return Workbench(text, faults, None, "The JSON can't be read. The form comes back when it can.")
    by_path: dict[tuple[str, ...], list[str]] = {}
    for fault in faults:
        by_path.setdefault(fault.path, []).append(fault.message)
    try:
        return Workbench(text, faults, Form(schema, document, by_path))
    except Exception:  # noqa: BLE001 - the schema is a worker's, and may be anything
        return Workbench(text, faults, None, "The schema has no form. Write the JSON.")


def label_of(payload: object) -> str:
    """Return the beginning of a payload on one line, for a list. Values of secrets are left out."""
    line = compact(_without_secrets(with_digits(READER.get().hiding.value(payload))))
    return line if len(line) <= _LABEL else f"{line[: _LABEL - 1]}…"


def _without_secrets(value: object) -> object:
    if is_object(value):
        members = value.items()
        return {key: "***" if is_secret_name(key) else _without_secrets(each) for key, each in members}
    return [_without_secrets(each) for each in value] if is_array(value) else value
