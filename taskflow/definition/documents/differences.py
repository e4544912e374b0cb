"""Compare a value with what its own JSON was read back as, and name the first part that is not the same."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from taskflow.definition.documents.unserialisable import path_of

_Path: TypeAlias = tuple[int | str, ...]
_Mapping: TypeAlias = Mapping[object, object]
_PLAIN: Final = (str, int, float, bool, type(None), list, dict)
_DEEPEST: Final = 255


def first_difference(
    given: object, arrived: object, *, may_be_plain: bool, named: frozenset[type] = frozenset()
) -> str | None:
    """Return the path of the first part of a value that its JSON does not keep, None when all of it arrives.

    Private attributes of models are no part of a value.

    Args:
        may_be_plain: Whether parts are annotated as ``Any``. What stands there may become plain JSON: a set a list.
        named: The classes that the type names. A value of another class may arrive as one of them if both have the
            same fields: a form with stricter limits than the task's payload.
    """
    path = _Comparison(may_be_plain=may_be_plain, named=named).find(given, arrived, ())
    return None if path is None else path_of(path)


def is_same(given: object, arrived: object) -> bool:
    """Whether two models are equal, which spares the look at each part. False does not mean that they differ."""
    return isinstance(given, BaseModel) and given == arrived


class _Comparison:
    def __init__(self, *, may_be_plain: bool, named: frozenset[type]) -> None:
        self._may_be_plain = may_be_plain
        self._named = named

    def find(self, given: Any, arrived: Any, path: _Path) -> _Path | None:
        if given is arrived or len(path) > _DEEPEST:
            return None
        if type(given) is not type(arrived) and not self._is_narrower(given, arrived):
            return None if self._is_alike(given, arrived) else self._of_plain(given, arrived, path)
        match given:
            case BaseModel():
                return self._fields(_model_fields(given), _model_fields(arrived), path)
            case dict():
                return self._mapping(cast("_Mapping", given), arrived, path)
            case list() | tuple():
                return self._sequence(cast("Sequence[object]", given), arrived, path)
            case float():
                return None if given == arrived or (math.isnan(given) and math.isnan(arrived)) else path
            case _ if dataclasses.is_dataclass(given):
                return self._fields(_dataclass_fields(given), _dataclass_fields(arrived), path)
            case _:
                return None if _is_equal(given, arrived) else path

    def _is_narrower(self, given: Any, arrived: Any) -> bool:
        """Whether a value is of a subclass that the type does not name and that adds no field: it loses nothing."""
        if not isinstance(given, type(arrived)) or type(given) in self._named:
            return False
        if isinstance(given, BaseModel) and isinstance(arrived, BaseModel):
            return type(given).model_fields.keys() == type(arrived).model_fields.keys()
        if dataclasses.is_dataclass(given) and dataclasses.is_dataclass(arrived):
            return _dataclass_fields(given).keys() == _dataclass_fields(arrived).keys()
        return False

    def _is_alike(self, given: Any, arrived: Any) -> bool:
        """Whether values of two classes are one: a ``str`` and a subclass of it, but no two models."""
        if isinstance(given, BaseModel) or dataclasses.is_dataclass(given):
            return False
        if isinstance(given, dict | list | tuple) and isinstance(arrived, dict | list | tuple):
            return False
        return bool(given == arrived)

    def _of_plain(self, given: Any, arrived: Any, path: _Path) -> _Path | None:
        """Compare values of two classes: what stands under ``Any`` may have become plain JSON."""
        if isinstance(given, Mapping) and isinstance(arrived, Mapping):
            return self._mapping(cast("_Mapping", given), cast("_Mapping", arrived), path)
        if not self._may_be_plain or type(arrived) not in _PLAIN:
            return path
        if isinstance(given, tuple) and isinstance(arrived, list):
            return self._sequence(cast("Sequence[object]", given), cast("Sequence[object]", arrived), path)
        return None if from_json(to_json(given, by_alias=False, round_trip=True)) == arrived else path

    def _mapping(self, given: _Mapping, arrived: _Mapping, path: _Path) -> _Path | None:
        if self._may_be_plain:
            return self._plain_mapping(given, arrived, path)
        for key, value in given.items():
            if key not in arrived:
                return (*path, str(key))
            if different := self.find(value, arrived[key], (*path, str(key))):
                return different
        return _first_other(arrived, given, path)

    def _plain_mapping(self, given: _Mapping, arrived: _Mapping, path: _Path) -> _Path | None:
        """Compare in order, because keys become text. A tuple is no key, and text may not become another text."""
        for (key, value), (name, other) in zip(given.items(), arrived.items(), strict=False):
            place = (*path, str(key))
            if key != name and (isinstance(key, str | tuple | frozenset) or not isinstance(name, str)):
                return place
            if different := self.find(value, other, place):
                return different
        return path if len(given) != len(arrived) else None

    def _sequence(self, given: Sequence[object], arrived: Sequence[object], path: _Path) -> _Path | None:
        for index, (one, other) in enumerate(zip(given, arrived, strict=False)):
            if different := self.find(one, other, (*path, index)):
                return different
        return path if len(given) != len(arrived) else None

    def _fields(self, given: Mapping[str, object], arrived: Mapping[str, object], path: _Path) -> _Path | None:
        for name, value in given.items():
            if name not in arrived:
                return (*path, name)
            if different := self.find(value, arrived[name], (*path, name)):
                return different
        return _first_other(arrived, given, path)


def _model_fields(model: BaseModel) -> Mapping[str, object]:
    values = {name: vars(model)[name] for name in type(model).model_fields if name in vars(model)}
    return values | (model.model_extra or {})


def _dataclass_fields(value: Any) -> Mapping[str, object]:
    return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}


def _first_other(arrived: Iterable[object], given: Mapping[Any, object], path: _Path) -> _Path | None:
    return next(((*path, str(key)) for key in arrived if key not in given), None)


def _is_equal(given: Any, arrived: Any) -> bool:
    """Whether two values of one class are the same; without ``==`` of their own, whether their attributes are."""
    if cast("type[object]", type(given)).__eq__ is not object.__eq__:
        return bool(given == arrived)
    return bool(getattr(given, "__dict__", None) == getattr(arrived, "__dict__", None))
