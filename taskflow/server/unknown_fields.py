"""Names in a request that no model has: refused with the nearest name, because an option left out in silence misleads.

What the official contract has and this server does not is named by the model's ``UNSUPPORTED`` and left out. The
official client, which says its version, may be newer than this server: whatever it sends beside is left out as well.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast, get_args

from pydantic import BaseModel

from taskflow.server.problems import Problem
from taskflow.suggestions import did_you_mean

OFFICIAL: Final = "trigger-version"
"""The header by which the official client says its version."""


class Named(BaseModel):
    """A model whose names are all that a request may have.

    Attributes:
        UNSUPPORTED: Names that the official contract has, and that are left out.
        FORM: A sentence about what to send, for the refusal of other names.
    """

    FORM: ClassVar[str] = ""
    UNSUPPORTED: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Names:
    taken: frozenset[str]
    shown: tuple[str, ...]
    inner: Mapping[str, type[Named]]


def check_names(model: type[BaseModel], given: object, code: str) -> None:
    """Refuse a name that the model does not have, here or further in.

    Raises:
        Problem: 400 with this code. It says which name was probably meant.
    """
    for path, name, known in _unknown(model, given, ""):
        kind = "parameter" if code == "invalid_query" else "field"
        remedy = f"{did_you_mean(name, known, f'{kind}s')} {'' if path or not issubclass(model, Named) else model.FORM}"
        raise Problem(400, code, f"There is no {kind} {path + name!r}.", remedy.rstrip())


def _unknown(model: type[BaseModel], given: object, path: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    if not isinstance(given, dict) or not issubclass(model, Named):
        return
    names, fields = _names_of(model), cast("dict[str, object]", given)
    for name in fields.keys() - names.taken:
        yield path, name, names.shown
    for name, inner in names.inner.items():
        value = fields.get(name)
        for each in cast("list[object]", value) if isinstance(value, list) else (value,):
            yield from _unknown(inner, each, f"{path}{name}.")


@functools.cache
def _names_of(model: type[Named]) -> _Names:
    shown = {name: field.alias or name for name, field in model.model_fields.items()}
    inner = {shown[name]: found for name, field in model.model_fields.items() if (found := _model_in(field.annotation))}
    return _Names(frozenset({*shown, *shown.values(), *model.UNSUPPORTED}), tuple(shown.values()), inner)


def _model_in(annotation: Any) -> type[Named] | None:
    """Return the model of a field, of its list or of its alternatives."""
    if isinstance(annotation, type) and issubclass(annotation, Named):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
