"""Decide from a type's schema whether its values certainly survive their own JSON, so that nothing must be compared.

A value of such a type needs one look only: at the classes of its models, because JSON leaves the fields of a subclass
out. Every other type is written, read back and compared (``differences.py``), which takes about three times as long.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

Check: TypeAlias = Callable[[Any], bool]
"""Whether a value is made of exactly the classes that its annotation names."""

_Schema: TypeAlias = Mapping[str, Any]
_SCALARS: Final = frozenset(
    ("int", "str", "bool", "float", "none", "datetime", "date", "time", "timedelta", "uuid", "decimal", "bytes")
)
_HARMLESS: Final = frozenset({"type", "ref", "metadata", "microseconds_precision", "fail_fast"})
_HARMLESS_FIELD: Final = frozenset({"type", "name", "schema", "metadata", "frozen", "kw_only", "init"})
_HARMLESS_CONFIG: Final = frozenset(
    {"title", "extra_fields_behavior", "from_attributes", "frozen", "validate_by_name", "validate_by_alias"}
)
_OTHER_KEYS: Final = {
    "model": {"cls", "schema", "config", "custom_init", "root_model", "frozen", "generic_origin"},
    "dataclass": {"cls", "schema", "config", "fields", "post_init", "frozen", "slots", "cls_name", "generic_origin"},
    "model-fields": {"fields", "model_name", "computed_fields"},
    "dataclass-args": {"fields", "dataclass_name", "computed_fields", "collect_init_only"},
    "list": {"items_schema"},
    "set": {"items_schema"},
    "frozenset": {"items_schema"},
    "tuple": {"items_schema", "variadic_item_index"},
    "dict": {"keys_schema", "values_schema"},
    "nullable": {"schema"},
    "default": {"schema", "default", "default_factory", "default_factory_takes_data", "copy_default"},
    "literal": {"expected"},
    "enum": {"cls", "members", "sub_type"},
    "definitions": {"schema", "definitions"},
    "definition-ref": {"schema_ref"},
}


class _MayChangeError(Exception):
    """The type may change its values on the way."""


@dataclass(frozen=True, slots=True)
class Survival:
    """The values of a type that survive.

    Attributes:
        check: Whether a value is one of them.
        is_recursive: Whether the type may contain itself, so that values may be nested to any depth.
    """

    check: Check
    is_recursive: bool


def survival(schema: object) -> Survival | None:
    """Return which values certainly survive. None: each value must be read back and compared."""
    reading, root = _Reading(), cast("_Schema", schema)
    try:
        check: Check | None = reading.check(root)
    except _MayChangeError:
        return None
    whole: Check = check or _PYTHON_CLASSES.get(root["type"], _EVERY)
    return Survival(whole, reading.is_recursive)


class _Reading:
    """One walk over a schema. A check of None holds for every value."""

    def __init__(self) -> None:
        self._named: dict[str, Check | None] = {}
        self._begun: set[str] = set()
        self.is_recursive = False

    def check(self, schema: _Schema) -> Check | None:
        kind = schema["type"]
        allowed = _OTHER_KEYS.get(kind, () if kind in _SCALARS else None)
        if allowed is None or not all(key in _HARMLESS or key in allowed for key in schema):
            raise _MayChangeError
        return None if kind in _SCALARS else getattr(self, f"_{kind.replace('-', '_')}")(schema)

    def _model(self, schema: _Schema) -> Check:
        if schema.get("custom_init") or schema.get("root_model") or schema["schema"]["type"] != "model-fields":
            raise _MayChangeError
        return self._of_class(schema, schema["schema"]["fields"].items())

    def _dataclass(self, schema: _Schema) -> Check:
        if schema.get("post_init") or schema["schema"]["type"] != "dataclass-args":
            raise _MayChangeError
        return self._of_class(schema, ((field["name"], field) for field in schema["schema"]["fields"]))

    def _of_class(self, schema: _Schema, fields: Iterable[tuple[str, _Schema]]) -> Check:
        self._refuse_odd_class(schema)
        named = [(name, self._field(field)) for name, field in fields]
        return _exactly(schema["cls"], [(name, check) for name, check in named if check])

    def _refuse_odd_class(self, schema: _Schema) -> None:
        config, inner = schema.get("config", {}), schema["schema"]
        if any(key not in _HARMLESS_CONFIG for key in config) or config.get("extra_fields_behavior") == "allow":
            raise _MayChangeError
        allowed = _OTHER_KEYS.get(inner["type"], ())
        if not all(key in _HARMLESS or key in allowed for key in inner):
            raise _MayChangeError

    def _field(self, field: _Schema) -> Check | None:
        if not all(key in _HARMLESS_FIELD for key in field) or field.get("init") is False:
            raise _MayChangeError
        return self.check(field["schema"])

    def _inner(self, schema: _Schema, key: str) -> Check | None:
        if key not in schema:
            raise _MayChangeError
        return self.check(schema[key])

    def _list(self, schema: _Schema) -> Check | None:
        inner = self._inner(schema, "items_schema")
        return _each(inner, iter)

    _set = _frozenset = _list

    def _tuple(self, schema: _Schema) -> Check | None:
        checks = [self.check(item) for item in schema["items_schema"]]
        if not any(checks):
            return None
        if "variadic_item_index" in schema and len(checks) == 1:
            return _each(checks[0], iter)
        raise _MayChangeError

    def _dict(self, schema: _Schema) -> Check | None:
        keys = schema.get("keys_schema", {"type": "any"})
        if keys["type"] not in ("str", "int") or self.check(keys) is not None:
            raise _MayChangeError
        inner = self._inner(schema, "values_schema")
        return _each(inner, dict[Any, Any].values)

    def _nullable(self, schema: _Schema) -> Check | None:
        inner = self.check(schema["schema"])
        if isinstance(inner, Exactly):
            cls = inner.cls
            return lambda value: value is None or type(value) is cls
        return None if inner is None else lambda value: value is None or inner(value)

    def _default(self, schema: _Schema) -> Check | None:
        return self.check(schema["schema"])

    def _literal(self, schema: _Schema) -> None:
        _refuse_mixed(schema["expected"])

    def _enum(self, schema: _Schema) -> None:
        _refuse_mixed([member.value for member in schema["members"]])

    def _definitions(self, schema: _Schema) -> Check | None:
        for definition in schema["definitions"]:
            self._named[definition["ref"]] = self._late(definition["ref"])
            self._begun.add(definition["ref"])
        for definition in schema["definitions"]:
            self._named[definition["ref"]] = self.check(definition)
            self._begun.remove(definition["ref"])
        return self.check(schema["schema"])

    def _definition_ref(self, schema: _Schema) -> Check | None:
        ref = schema["schema_ref"]
        self.is_recursive |= ref in self._begun
        return self._named[ref]

    def _late(self, ref: str) -> Check:
        return lambda value: (self._named[ref] or _anything)(value)


class Exactly:
    """The check of a class without models in its fields: nothing but the class counts."""

    __slots__ = ("cls",)

    def __init__(self, cls: type) -> None:
        self.cls = cls

    def __call__(self, value: object) -> bool:
        """Whether a value is of the class, and of no subclass."""
        return type(value) is self.cls


def _exactly(cls: type, checks: list[tuple[str, Check]]) -> Check:
    if not checks:
        return Exactly(cls)

    def check(value: object) -> bool:
        if type(value) is not cls:
            return False
        for name, each in checks:  # noqa: SIM110 - a generator takes twice the time
            if not each(getattr(value, name)):
                return False
        return True

    return check


def _each(inner: Check | None, parts: Callable[[Any], Iterable[Any]]) -> Check | None:
    """Return the check of a container. One set of classes is compared, instead of a call for each part."""
    if isinstance(inner, Exactly):
        only = {inner.cls}
        return lambda value: only.issuperset(map(type, parts(value)))
    return None if inner is None else lambda value: all(map(inner, parts(value)))


def _refuse_mixed(values: Iterable[object]) -> None:
    kinds = {type(value) for value in values}
    if kinds not in ({str}, {int}):
        raise _MayChangeError


def _anything(_value: object) -> bool:
    return True


_EVERY: Final[Check] = _anything
_PYTHON_CLASSES: Final[Mapping[str, Check]] = {cls.__name__: Exactly(cls) for cls in (int, str, bool, float)}
