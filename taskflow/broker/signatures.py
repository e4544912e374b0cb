"""Celery's signatures of tasks, bound to an app."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from celery import Celery, canvas
from celery.canvas import Signature as Signature


def make_signature(
    app: Celery, task_id: str, args: Sequence[object], kwargs: Mapping[str, object], *, is_immutable: bool
) -> Signature[Any]:
    """Return a signature, to be sent by itself or as a member of a chain, a group or a chord.

    Args:
        is_immutable: Whether it takes no result of the task before it.
    """
    make = cast("Any", canvas.signature)
    signature: Signature[Any] = make(task_id, args=tuple(args), kwargs=dict(kwargs), immutable=is_immutable, app=app)
    return signature
