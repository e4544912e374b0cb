"""Database connections of a site's workers: kept between runs, and replaced when they are broken."""

import json

import pytest

from tests.history.conftest import postgres, postgres_server
from tests.support.django_site import DjangoSite
from tests.support.postgres import PostgresServer

__all__ = ["postgres", "postgres_server"]

TRIGGER = """
import sys, django
django.setup()
from ledger import tasks
task = getattr(tasks, sys.argv[1])
handles = [task.trigger() for _ in range(int(sys.argv[2]))]
print(*sorted({handle.result(timeout=30) for handle in handles}), sep="\\n")
"""
KINDS = ["identity", "identity_async"]


def identities(site: DjangoSite, task: str, runs: int) -> list[str]:
    """Run a task several times. Returns the different process and connection ids."""
    printed = site.call("-c", TRIGGER, task, str(runs), env={"DJANGO_SETTINGS_MODULE": "mysite.settings"})
    return printed.strip().splitlines()


def on_postgres(site: DjangoSite, server: PostgresServer, **more: object) -> None:
    """Let a site use PostgreSQL."""
    address = {"HOST": "127.0.0.1", "PORT": server.port, "USER": "taskflow", "NAME": server.database}
    database = {"ENGINE": "django.db.backends.postgresql", **address, **more}
    site.variables["SITE_DATABASES"] = json.dumps({"default": database})
    site.migrate()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("task", KINDS)
def test_runs_use_one_connection_of_their_process(site: DjangoSite, postgres: PostgresServer, task: str) -> None:
    """Celery's own fixup makes a new one for each run."""
    on_postgres(site, postgres, CONN_MAX_AGE=60)
    site.start_node("async" if task == "identity_async" else "process", concurrency=1)
    assert len(identities(site, task, 50)) == 1


@pytest.mark.timeout(90)
@pytest.mark.parametrize("task", KINDS)
def test_a_connection_that_the_server_has_closed_fails_no_run(
    site: DjangoSite, postgres: PostgresServer, task: str
) -> None:
    """A restart of the database between two runs costs a new connection only."""
    on_postgres(site, postgres, CONN_MAX_AGE=None)
    site.start_node("async" if task == "identity_async" else "process", concurrency=1)
    (before,) = identities(site, task, 1)
    postgres.stop()
    postgres.start()
    (after,) = identities(site, task, 1)
    assert before.split()[0] == after.split()[0], "the same process"
    assert before != after, "another connection"


@pytest.mark.timeout(90)
def test_connections_of_no_age_are_closed_after_each_run(site: DjangoSite, postgres: PostgresServer) -> None:
    """CONN_MAX_AGE=0, Django's default, means what it means for requests."""
    on_postgres(site, postgres, CONN_MAX_AGE=0)
    site.start_node(concurrency=1)
    assert len(identities(site, "identity", 5)) == 5
