"""Flower's templates with taskflow's additions."""

from pathlib import Path

import pytest
from flower.urls import settings

from taskflow.errors import SettingsError
from taskflow.flower_tab.links import DashboardLinks
from taskflow.flower_tab.pages import load_templates
from taskflow.settings import Settings

_FOLDER = Path(str(settings["template_path"]))


def test_every_template_of_this_flower_compiles_with_the_additions() -> None:
    """A release of Flower with other pages fails here first."""
    loader = load_templates(_FOLDER)
    for name in loader.dict:
        loader.load(name)
    for name, addition in (
        ("navbar.html", ">Runs</a>"),
        ("task.html", "Run in taskflow"),
        ("worker.html", "Workers in"),
    ):
        assert loader.dict[name].count(addition) == 1


def test_another_flower_is_refused_with_the_version_to_install(tmp_path: Path) -> None:
    """Its pages would have no tab, and nobody would see why."""
    for file in _FOLDER.glob("*.html"):
        (tmp_path / file.name).write_text(file.read_text().replace("detail-actions", "actions"))
    with pytest.raises(SettingsError, match=r"task\.html is not the one .* pip install 'flower>=2\.2,<2\.3'"):
        load_templates(tmp_path)


@pytest.mark.parametrize(
    "given, is_local, base",
    [
        ({}, True, "http://127.0.0.1:8787/dev"),
        ({}, False, ""),
        ({"public_url": "https://shop.test/"}, True, "https://shop.test/dev"),
        (
            {"public_url": "https://shop.test", "dashboard_url": "https://shop.test/ops"},
            False,
            "https://shop.test/ops/dev",
        ),
    ],
)
def test_the_dashboard_is_where_the_settings_say(
    given: dict[str, str], is_local: bool, base: str, tmp_path: Path
) -> None:
    """A run's id may hold any character."""
    links = DashboardLinks.of(Settings.read(home=tmp_path, **given), is_local=is_local)
    assert links.base == base
    assert links.run("a/b?") == (f"{base}/runs/a%2Fb%3F" if base else "")
    assert links.workers() == (f"{base}/workers" if base else "")
