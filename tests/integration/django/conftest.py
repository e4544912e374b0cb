"""A migrated Django site on the session's Valkey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.django_site import DjangoSite
from tests.support.servers import RedisServer


@pytest.fixture
def site(tmp_path: Path, valkey: RedisServer) -> Iterator[DjangoSite]:
    """A site with databases of its own."""
    made = DjangoSite(tmp_path, valkey)
    made.migrate()
    yield made
    made.close()
