"""Migrated Django sites on the session's Valkey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.django_site import DjangoSite
from tests.support.newer_django import NEWEST, installed_django, newer_python
from tests.support.servers import RedisServer

VERSIONS = sorted({installed_django(), NEWEST})


@pytest.fixture
def site(tmp_path: Path, valkey: RedisServer) -> Iterator[DjangoSite]:
    """A site with databases of its own, on the Django that is installed."""
    made = DjangoSite(tmp_path, valkey)
    made.migrate()
    yield made
    made.close()


@pytest.fixture(params=VERSIONS)
def any_site(request: pytest.FixtureRequest, tmp_path: Path, valkey: RedisServer) -> Iterator[DjangoSite]:
    """A site on the Django that is installed, and on the newest."""
    version: str = request.param
    here = version == installed_django()
    made = DjangoSite(tmp_path, valkey) if here else DjangoSite(tmp_path, valkey, python=newer_python())
    made.migrate()
    yield made
    made.close()
