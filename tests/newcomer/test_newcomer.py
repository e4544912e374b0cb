"""A newcomer sees the first run in the dashboard within two minutes, from the built wheel and an empty folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.newcomer.environment import Environment, build_wheel, quick_environment
from tests.newcomer.journey import LIMIT, Journey
from tests.support.browser import chromium


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel. Its folder has a space, as many people's have."""
    folder = tmp_path_factory.mktemp("newcomer")
    return quick_environment(folder / "an env", build_wheel(folder))


@pytest.fixture(scope="module")
def tour_browser() -> Iterator[Browser]:
    """Chromium. Its name sends these tests to the worker of a parallel run that has one."""
    with chromium() as browser:
        yield browser


@pytest.mark.timeout(2 * LIMIT)
@pytest.mark.parametrize("steps", [Journey.plain, Journey.django], ids=["plain", "django"])
def test_a_newcomer_sees_the_first_run(
    environment: Environment, tmp_path: Path, tour_browser: Browser, steps: Callable[[Journey, Browser], None]
) -> None:
    """Three commands: pip install, taskflow init, taskflow dev. The times of the steps are in the output."""
    folder = tmp_path / "my first project"
    folder.mkdir()
    steps(Journey(environment, folder), tour_browser)
