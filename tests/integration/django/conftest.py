"""Migrated Django sites on the session's Valkey."""

import functools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.django_site import DjangoSite
from tests.support.newer_django import NEWEST, installed_django, newer_python
from tests.support.servers import RedisServer

VERSIONS = sorted({installed_django(), NEWEST})
MakeSite = Callable[[str], DjangoSite]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, valkey_server: RedisServer) -> Callable[[str], Path]:
    """Return a database with the tables of the site: migrations take longer than most tests."""

    @functools.cache
    def migrate(python: str) -> Path:
        site = DjangoSite(tmp_path_factory.mktemp("migrated"), valkey_server, python=python)
        try:
            return site.migrate()
        finally:
            site.close()

    return migrate


@pytest.fixture
def make_site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    valkey: RedisServer,
    migrated: Callable[[str], Path],
    forked_sites: None,
) -> Iterator[MakeSite]:
    """Make a site with databases of its own for an interpreter."""
    made: list[DjangoSite] = []

    def make(python: str) -> DjangoSite:
        shutil.copyfile(migrated(python), tmp_path / "site.sqlite3")
        forks = request.node.get_closest_marker("interpreter") is None
        made.append(DjangoSite(tmp_path, valkey, python=python, forks=forks))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: MakeSite) -> DjangoSite:
    """A site on the Django that is installed."""
    return make_site(sys.executable)


@pytest.fixture(params=VERSIONS)
def any_site(request: pytest.FixtureRequest, make_site: MakeSite) -> DjangoSite:
    """A site on the Django that is installed, and on the newest."""
    version: str = request.param
    return make_site(sys.executable if version == installed_django() else newer_python())
