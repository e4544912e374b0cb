"""The checks of ``taskflow doctor`` in a client of a server: address, key, and the tasks that are declared here."""

from collections.abc import Iterator

from taskflow.cli.checks.finding import Finding
from taskflow.definition.registry import declared
from taskflow.errors import TaskflowError
from taskflow.settings import Settings


def client_findings() -> Iterator[Finding]:
    """Yield the findings: whether the server answers, what the key opens, and which tasks are checked here."""
    from taskflow.http_client.application import ServerClient  # brings httpx, which no other command needs

    try:
        client = ServerClient(Settings.read())
    except TaskflowError as error:
        yield Finding("settings", False, str(error))
        return
    try:
        facts = client.engine.server()
    except TaskflowError as error:
        yield Finding("server", False, str(error))
        return
    finally:
        client.close()
    yield Finding("server", True, f"taskflow {facts.version} at {client.url}")
    rights = "; it may only read" if facts.is_read_only else ""
    yield Finding("key", True, f"is of the environment {facts.environment!r}{rights}")
    yield Finding("tasks", True, _tasks())


def _tasks() -> str:
    ids = sorted(task.id for task in declared)
    if not ids:
        return "none is declared here, so that workers check payloads; TASKFLOW_TASKS names modules that declare some"
    return f"{len(ids)} are declared here: {', '.join(ids[:8])}{', ...' if len(ids) > 8 else ''}"
