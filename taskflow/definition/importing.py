"""Import modules of the user's, and explain in one line and their own frames why one cannot be imported."""

import importlib
import re
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final

from taskflow.definition.source_place import declared_task, place
from taskflow.errors import DefinitionError, SettingsError, TaskflowError
from taskflow.texts import message_of

_OWN_CODE: Final = str(Path(__file__).parents[1])
_MACHINERY: Final = re.compile(
    r"<frozen |<string>|[/\\]importlib[/\\]|[/\\]runpy\.py$"
    r"|site-packages[/\\](celery|kombu|billiard|vine|click|typer|rich)[/\\]"
)
_MESSAGE_CHARS: Final = 2000
_FRAMES: Final = 20


class ModuleImportError(SettingsError):
    """A module of the user's cannot be imported.

    Attributes:
        module: Its name.
    """

    def __init__(self, what: str, module: str, why: str) -> None:
        self.module = module
        super().__init__(f"The {what} {module!r} can't be imported: {why}")


def import_user_module(name: str, *, what: str, remedy: str) -> ModuleType:
    """Import a module.

    Args:
        what: What the module is, for the error.
        remedy: What to check when there is no such module.

    Raises:
        SettingsError: It does not exist.
        ModuleImportError: It exists, and its import raises.
        TaskflowError: A setting, or a server that it needs at once, is wrong.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name == name or name.startswith(f"{missing.name}."):
            raise SettingsError(f"The {what} {name!r} can't be found. {remedy}") from missing
        raise ModuleImportError(what, name, explained(missing)) from missing
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if isinstance(error, TaskflowError) and not isinstance(error, DefinitionError):
            raise
        raise ModuleImportError(what, name, explained(error)) from error


def explained(error: BaseException) -> str:
    """Return where and why an import failed, then the user's frames, the last call last."""
    tail = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)][-_FRAMES:]
    file, line = (tail[-1].filename, tail[-1].lineno) if tail else (None, None)
    shown = traceback.format_list(tail)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
        shown += traceback.format_exception_only(type(error), error)[:-1]
    where = f"{place(file, line)}: " if file else ""
    if isinstance(error, DefinitionError) and file and (task := declared_task(file, line)):
        where = f"{place(file, line)}, task {task!r}: "
    message = " ".join(_message(error).split())
    what = f"{where}{type(error).__name__}{f': {message}' if message else ''}"
    frames = "".join(shown).rstrip()
    return f"{what}\n{frames}" if frames else what


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.msg:
        return str(error.msg)
    if isinstance(error, SystemExit):
        return f"it ends the process with {error.code!r}"
    return message_of(error, _MESSAGE_CHARS)


def _is_users(file: str) -> bool:
    return not file.startswith(_OWN_CODE) and _MACHINERY.search(file) is None
