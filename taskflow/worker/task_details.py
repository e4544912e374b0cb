"""The parts of a task's declaration that a worker registers for people to read."""

from taskflow.definition.hooks import HOOK_KINDS
from taskflow.definition.source_place import place
from taskflow.definition.task_definition import TaskDefinition
from taskflow.store.operations.overviews.tasks import RetryDetails, TaskDetails, short_description
from taskflow.texts import storable


def details_of(definition: TaskDefinition) -> TaskDetails:
    """Return what people read of a definition that can be served."""
    retry, plan, schedule, webhook = definition.retry, definition.plan(), definition.schedule, definition.webhook
    hooks = {kind: tuple(storable(hook.name) for hook in plan.of(kind)) for kind in HOOK_KINDS}
    return TaskDetails(
        kind="webhook" if webhook else "schedule" if schedule else "task",
        description=short_description(storable(definition.description)),
        function=storable(definition.qualname),
        file=storable(place(definition.source_file, None)),
        line=definition.source_line,
        retry=RetryDetails(
            retry.max_attempts, retry.factor, retry.min_delay, retry.max_delay, retry.randomize, retry.out_of_memory
        ),
        hooks={kind: names for kind, names in hooks.items() if names},
        durable=definition.durable,
        ttl=definition.ttl,
        max_duration=definition.max_duration,
        tags=definition.tags,
        source=type(webhook.source).__name__ if webhook else None,
        events=webhook.events if webhook else (),
        cron=schedule.cron if schedule else None,
        every=schedule.every if schedule else None,
        timezone=schedule.timezone if schedule else None,
    )
