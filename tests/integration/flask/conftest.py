"""A Flask site on the session's Valkey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.flask_site import FlaskSite
from tests.support.servers import RedisServer


@pytest.fixture
def site(
    request: pytest.FixtureRequest, tmp_path: Path, valkey: RedisServer, forked_sites: None
) -> Iterator[FlaskSite]:
    """A site with a database of its own."""
    made = FlaskSite(tmp_path, valkey, forks=request.node.get_closest_marker("interpreter") is None)
    yield made
    made.close()
