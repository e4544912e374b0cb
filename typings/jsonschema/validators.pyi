from collections.abc import Callable, Iterator, Mapping

from jsonschema import Draft202012Validator, ValidationError

def extend(
    validator: type[Draft202012Validator],
    validators: Mapping[
        str, Callable[[Draft202012Validator, object, object, Mapping[str, object]], Iterator[ValidationError]]
    ],
) -> type[Draft202012Validator]: ...
