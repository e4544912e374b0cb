"""Saved tests: a payload and options under a name, for everybody of the environment."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from taskflow.definition.documents.exact_json import is_object
from taskflow.errors import TaskflowError
from taskflow.seams.audit import Template
from taskflow.server.dashboard.refusals import PageProblem

if TYPE_CHECKING:
    from taskflow.engine.engine import Engine

_LONGEST_NAME: Final = 100
_LARGEST: Final = 256_000


async def templates_of(engine: "Engine", task_id: str) -> Sequence[Template]:
    """Return the templates of a task, by name; none while the history does not answer."""
    try:
        return await asyncio.to_thread(engine.templates.list, task_id)
    except TaskflowError:
        return ()


async def template_of(engine: "Engine", task_id: str, name: str) -> tuple[str, dict[str, str]] | None:
    """Return the text of the payload and the fields of the options that have a name, None if nothing has it."""
    for each in await templates_of(engine, task_id):
        saved: object = json.loads(each.document)
        if each.name == name and is_object(saved):
            return str(saved["payload"]), {key: str(value) for key, value in saved["options"].items()}
    return None


async def keep_template(engine: "Engine", task_id: str, form: Mapping[str, str], text: str, by: str) -> str:
    """Save a payload with the options of a form, also in place of another one, and return its name.

    Raises:
        PageProblem: It has no name or is too large, or there is no history to keep it in.
        HistoryUnavailableError: The history's database did not answer.
    """
    name = " ".join(form.get("template", "").split())
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        what = f"A template has a name of 1 to {_LONGEST_NAME} characters."
        raise PageProblem(422, "The template was not saved", what, "Go back, and give it one.")
    if len(text) > _LARGEST:
        what = f"Its payload has {len(text):,} characters, and the most is {_LARGEST:,}."
        raise PageProblem(413, "The template was not saved", what, "Start from the run instead.")
    options = {key: value for key, value in form.items() if value and (key.startswith("option_") or key == "test")}
    document = json.dumps({"payload": text, "options": options})
    if len(document) > 2 * _LARGEST:
        what = "Its options are too long."
        raise PageProblem(413, "The template was not saved", what, "Go back, and shorten them.")
    if not await asyncio.to_thread(engine.templates.save, task_id, name, document, by):
        what = "The environment has no history, which keeps templates."
        raise PageProblem(409, "The template was not saved", what, "Set TASKFLOW_DATABASE_URL.")
    return name


async def drop_template(engine: "Engine", task_id: str, name: str) -> None:
    """Delete a template, if there is one.

    Raises:
        HistoryUnavailableError: The history's database did not answer.
    """
    await asyncio.to_thread(engine.templates.drop, task_id, name)
