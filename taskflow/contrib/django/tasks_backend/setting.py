"""The backends of taskflow among those of a site's ``TASKS``."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from django.conf import settings

BACKEND: Final = "taskflow.contrib.django.TaskflowBackend"


def make_backends() -> None:
    """Make the backends that are ours, so that workers can execute what any process enqueues for them."""
    ours = our_backends()
    if ours:
        from taskflow.contrib.django.tasks_backend.compat import task_backends

        for alias in ours:
            task_backends[alias]  # makes it


def our_backends() -> Sequence[str]:
    """Return the names of the backends that are ours."""
    named: object = getattr(settings, "TASKS", None)
    if not isinstance(named, Mapping):
        return []
    backends = cast("Mapping[str, Mapping[str, Any]]", named)
    return [alias for alias, options in backends.items() if options.get("BACKEND") == BACKEND]
