"""The context of a claimed run's attempt, as the task's function gets it."""

from taskflow import clock
from taskflow.definition.context import (
    AttemptInfo,
    Context,
    DeploymentInfo,
    EnvironmentInfo,
    MachineInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from taskflow.definition.task_definition import TaskDefinition
from taskflow.execution.outcome import Tries
from taskflow.store.operations.claims import ClaimedRun
from taskflow.worker.attempt.runtime import Runtime, Surroundings


def context_of(runtime: Runtime, definition: TaskDefinition, claimed: ClaimedRun, tries: Tries) -> Context:
    """Return the context of an attempt that starts now."""
    task, machine, environment, deployment = _surroundings(runtime, definition, claimed.machine)
    return Context(
        run=RunInfo(
            id=claimed.run_id,
            tags=claimed.tags,
            created_at=claimed.created_at,
            started_at=claimed.started_at,
            max_attempts=claimed.max_attempts,
            idempotency_key=claimed.idempotency_key,
            is_test=claimed.is_test,
            is_replay=claimed.replay_of is not None,
            concurrency_key=claimed.concurrency_key,
            priority=claimed.priority,
            max_duration=claimed.max_duration,
            parent_id=claimed.parent_id,
            root_id=claimed.root_id,
            batch_id=claimed.batch_id,
            version=deployment.version,
            trace=claimed.trace,
        ),
        attempt=AttemptInfo(number=claimed.attempt_number, started_at=clock.now(), is_last=tries.is_last),
        task=task,
        queue=QueueInfo(name=claimed.queue),
        machine=machine,
        environment=environment,
        deployment=deployment,
    )


def hooks_context(runtime: Runtime, definition: TaskDefinition, claimed: ClaimedRun) -> Context:
    """Return the context for the final hooks of a run that has ended."""
    tries = Tries(claimed.failed_attempts, claimed.max_attempts, claimed.machine)
    return context_of(runtime, definition, claimed, tries)


def _surroundings(runtime: Runtime, definition: TaskDefinition, machine: str) -> Surroundings:
    """Return what is the same for all runs of a task on a machine, made once: a node makes thousands of contexts."""
    key = definition.id, machine, runtime.node.version
    made = runtime.surroundings.get(key)
    if made is None:
        spec = runtime.presets.get(machine, definition.machine)
        made = runtime.surroundings[key] = (
            TaskInfo(definition.id, definition.description, definition.source_file),
            MachineInfo(name=spec.name, cpu=spec.cpu, memory=spec.memory_gb),
            EnvironmentInfo(name=runtime.settings.environment),
            DeploymentInfo(runtime.node.version or None),
        )
    return made
