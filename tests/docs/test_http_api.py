"""The page of the HTTP API lists every endpoint of the route table."""

import re
from pathlib import Path

import pytest

from taskflow.server.route import ApiRoute
from taskflow.server.routes import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "http-api.md").read_text()


def listed(route: ApiRoute) -> str:
    """Return a route as the page names it."""
    return f"`{route.method} {re.sub(r':path}', '}', route.path)}`"


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.is_hidden], ids=listed)
def test_the_page_lists_the_endpoint(route: ApiRoute) -> None:
    """A new route needs a row, with what it does and who may use it."""
    assert listed(route) in PAGE


def test_the_page_lists_no_endpoint_that_does_not_exist() -> None:
    """A route that was renamed is renamed in the page."""
    known = {listed(route) for route in ROUTES}
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {match for line in rows for match in re.findall(r"`(?:GET|POST|PUT|DELETE) /[^`]+`", line.split(" | ")[0])}
    assert named <= known
