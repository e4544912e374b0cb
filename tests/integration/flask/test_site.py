"""A site's settings, and how commands and workers find its app."""

import json
from pathlib import Path

import pytest

from tests.support.flask_site import FlaskSite

pytestmark = pytest.mark.timeout(240)
PLAN = ("-m", "taskflow", "worker", "--show")
FIND = ("-c", "from taskflow.contrib.sites import enter_site; print('found:', enter_site())")
FLEET = "celery -A taskflow.contrib.flask.fleet worker"


def config(**values: object) -> dict[str, str]:
    """Return environment variables that put values into ``app.config``."""
    return {f"SITE_CONFIG_{name}": json.dumps(value) for name, value in values.items()}


def test_a_wrong_name_in_the_configuration_is_named_with_the_right_one(site: FlaskSite) -> None:
    """At the app's start, by the web server and by every command."""
    for words in (PLAN, ("-m", "flask", "taskflow", "worker", "--show")):
        answer = site.call(*words, check=False, env=config(TASKFLOW_REDIS_UR="redis://host"))
        assert answer[0] != "0"
        assert "'TASKFLOW_REDIS_UR', in app.config of the Flask app 'site_app', is not a setting." in answer
        assert "Did you mean 'redis_url'?" in answer
        assert "Traceback" not in answer or words[1] == "flask"


@pytest.mark.parametrize(
    "values, variables, expected",
    [
        ({"TASKFLOW_RETENTION": "2h"}, {}, "2:00:00"),
        ({"TASKFLOW_RETENTION": 7200}, {}, "2:00:00"),
        ({"TASKFLOW_RETENTION": "2h"}, {"TASKFLOW_RETENTION": "1h"}, "1:00:00"),
        ({}, {}, "3:00:00"),
    ],
)
def test_the_environment_goes_before_the_configuration_and_it_before_files(
    site: FlaskSite, tmp_path: Path, values: dict[str, object], variables: dict[str, str], expected: str
) -> None:
    """As the table of the settings page. The files are those of the app's folder, wherever a process starts."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "pyproject.toml").write_text('[tool.taskflow]\nretention = "4h"\n')
    (tmp_path / "base" / ".env").write_text("TASKFLOW_RETENTION=3h\n")
    (tmp_path / "base" / "other_app.py").write_text((site.site / "site_app.py").read_text())
    program = (
        "import other_app; other_app.create_app(); from taskflow import Settings; print(Settings.read().retention)"
    )
    variables = {"PYTHONPATH": f"{tmp_path / 'base'}:{site.variables['PYTHONPATH']}", **variables}
    assert site.call("-c", program, env={**config(**values), **variables}).strip() == expected


@pytest.mark.parametrize("words", [PLAN, ("-m", "flask", "--app", "site_app", "taskflow", "worker", "--show")])
def test_a_worker_serves_the_tasks_of_the_app(site: FlaskSite, words: tuple[str, ...]) -> None:
    """Named by FLASK_APP, and by Flask's own command."""
    assert FLEET in site.call(*words)


def test_an_app_is_named_by_a_setting_or_found_in_its_file(site: FlaskSite, tmp_path: Path) -> None:
    """As Flask finds `app.py`. One without taskflow is left alone, and so is every app if a setting says so."""
    found = "found: taskflow.contrib.flask.fleet"
    del site.variables["FLASK_APP"]
    assert found in site.call(*FIND, env={"TASKFLOW_FLASK_APP": "site_app:create_app"})
    source = (site.site / "site_app.py").read_text()
    site.site = tmp_path / "found"
    site.site.mkdir()
    (site.site / "app.py").write_text(source)
    assert found in site.call(*FIND)
    assert "found: \n" in site.call(*FIND, env={"TASKFLOW_FLASK_APP": "none"})
    (site.site / "app.py").write_text("raise SystemExit('this file is not a Flask app')")
    assert "found: \n" in site.call(*FIND)


def test_an_app_that_can_not_be_loaded_is_named(site: FlaskSite) -> None:
    """With what to do, and without frames of others."""
    for name in ("no_such_module", "site_app:nothing"):
        answer = site.call(*PLAN, check=False, env={"TASKFLOW_FLASK_APP": name})
        assert answer.startswith("1\n")
        assert f"The Flask app '{name}' can't be loaded" in answer
        assert "TASKFLOW_FLASK_APP=none makes taskflow leave the app alone" in answer
        assert "Traceback" not in answer


TWO_APPS = """
import sys
from flask import Flask
from taskflow import Settings
from taskflow.contrib.flask import Taskflow
from taskflow.errors import SettingsError

def make(name, **config):
    app = Flask(name)
    app.config.update(config)
    Taskflow(app)
    return app

def environment_in(app):
    with app.app_context():
        return Settings.read().environment
"""


def test_a_second_app_with_other_settings_is_refused(site: FlaskSite) -> None:
    """A process has one store: the app whose view used it first fixed the store of both."""
    del site.variables["TASKFLOW_REDIS_URL"]
    program = f"""{TWO_APPS}
make("shop", TASKFLOW_SHARDS=1, TASKFLOW_REDIS_URL="redis://:secret@one")
make("blog", TASKFLOW_SHARDS=1, TASKFLOW_REDIS_URL="redis://:secret@one")
try:
    make("news", TASKFLOW_SHARDS=2, TASKFLOW_REDIS_URL="redis://:secret@two")
except SettingsError as refused:
    print(refused)
print(Settings.read().shards)
"""
    refusal, shards = site.call("-c", program).splitlines()
    assert refusal.startswith(
        "The Flask apps 'blog' and 'news' of this process have different values of TASKFLOW_REDIS_URL, TASKFLOW_SHARDS."
    )
    assert "secret" not in refusal
    assert shards == "1"


def test_the_environment_settles_settings_in_which_apps_differ(site: FlaskSite) -> None:
    """It goes before both configurations, so that both have one store."""
    program = f"""{TWO_APPS}
apps = [make("shop", TASKFLOW_ENVIRONMENT="one"), make("blog", TASKFLOW_ENVIRONMENT="two")]
print(*map(environment_in, apps))
"""
    assert site.call("-c", program, env={"TASKFLOW_ENVIRONMENT": "both"}).split() == ["both", "both"]


def test_a_factory_makes_apps_with_settings_of_their_own_in_tests(site: FlaskSite) -> None:
    """The app that was initialised last counts, whichever app's context is entered."""
    del site.variables["TASKFLOW_ENVIRONMENT"]
    program = f"""{TWO_APPS}
from taskflow import guard_of_tests
guard_of_tests.switch(on=True)
apps = [make("shop", TASKFLOW_ENVIRONMENT=name) for name in ("one", "two")]
print(*map(environment_in, apps))
"""
    assert site.call("-c", program).split() == ["two", "two"]


def test_runs_have_the_context_of_the_app_that_is_named(site: FlaskSite, tmp_path: Path) -> None:
    """Its module makes another app behind it."""
    site.site = tmp_path / "two"
    site.site.mkdir()
    (site.site / "two_apps.py").write_text(f"{TWO_APPS}\nshop, blog = make('shop'), make('blog')\n")
    program = (
        "from taskflow.contrib.sites import enter_site; enter_site()\n"
        "from taskflow.contrib.flask.app_context import this_app; print(this_app().name)"
    )
    assert site.call("-c", program, env={"FLASK_APP": "two_apps:shop"}).strip() == "shop"


def test_the_command_of_flask_is_that_of_taskflow(site: FlaskSite) -> None:
    """With its options and its exit codes."""
    flask = ("-m", "flask", "taskflow")
    assert json.loads(site.call(*flask, "runs", "list", "--json")) == []
    triggered = site.call(*flask, "trigger", "flask-place").strip()
    assert triggered.startswith("run_")
    answer = site.call(*flask, "runs", "get", "run_unknown", check=False)
    assert answer.startswith("1\n")
    assert "run_unknown" in answer
