"""The reader of one function's parameters. Every refusal names the task."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from taskflow.definition.context import Context
from taskflow.definition.documents.annotation import Annotation, namespace_of
from taskflow.errors import DefinitionError

CTX: Final = "ctx"
INJECTED: Final = (CTX, "init", "signal")
EMPTY: Final = inspect.Parameter.empty
POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
NO_METHOD: Final = "Move it out of its class: a worker has no instance to call it on."


class Reader:
    """The part that the readers of both forms share: annotations, and refusals."""

    def __init__(self, task_id: str, function: Callable[..., object]) -> None:
        self.task_id = task_id
        self.namespace = namespace_of(function)

    def output(self, signature: inspect.Signature) -> Annotation | None:
        """Return the annotation of the result, None without one."""
        if signature.return_annotation in (EMPTY, Any, "Any"):
            return None
        return self.annotation("The output", signature.return_annotation)

    def annotation(self, what: str, value: object) -> Annotation:
        """Return an annotation, for messages with the name of what has it."""
        value = Any if value is EMPTY else value
        return Annotation(f"{what} of task {self.task_id!r}", value, self.namespace)

    def check_context(self, parameter: inspect.Parameter) -> None:
        """Refuse a parameter ``ctx`` that is annotated as something else."""
        annotation = self.annotation("The parameter 'ctx'", parameter.annotation)
        if parameter.annotation is not EMPTY and is_context(annotation) is False:
            remedy = "Annotate it as taskflow.Context; a payload needs another name."
            self.refuse("has a ctx that is not a Context", annotation.text, remedy)

    def refuse_context(self, annotation: Annotation, name: str) -> None:
        """Refuse a parameter of another name that is annotated as the context."""
        if is_context(annotation) is True:
            self.refuse("takes its context under another name", name, f"Call the parameter {CTX}.")

    def refuse(self, what: str, value: object, remedy: str) -> None:
        """Refuse the function.

        Raises:
            DefinitionError: Always.
        """
        raise DefinitionError(f"Task {self.task_id!r} {what}", option="function", value=value, remedy=remedy)


def is_context(annotation: Annotation) -> bool | None:
    """Whether an annotation is Context; None when it cannot be resolved yet."""
    try:
        return annotation.resolve() is Context
    except DefinitionError:  # text with a name that is defined later, or imported for type checkers only
        return None
