"""A site's settings, its tasks, and the commands in its folder."""

import json
from pathlib import Path

import pytest

from tests.support.django_site import SITE as DJANGO
from tests.support.django_site import DjangoSite

PLAN = ("-m", "taskflow", "worker", "--show")


def test_a_wrong_name_in_the_settings_is_named_with_the_right_one(site: DjangoSite) -> None:
    """By the system check and by every command."""
    wrong = json.dumps({"REDIS_UR": "redis://host"})
    for words in (("manage.py", "check"), PLAN):
        answer = site.call(*words, check=False, env={"SITE_TASKFLOW": wrong})
        assert answer.startswith("1\n")
        assert "'REDIS_UR', in TASKFLOW of mysite.settings, is not a setting. Did you mean 'redis_url'?" in answer
        assert "Traceback" not in answer or words[0] == "manage.py"


@pytest.mark.parametrize(
    "settings, variables, expected",
    [
        ({"RETENTION": "2h"}, {}, "2:00:00"),
        ({"retention": 7200}, {}, "2:00:00"),
        ({"RETENTION": "2h"}, {"TASKFLOW_RETENTION": "1h"}, "1:00:00"),
        ({}, {}, "3:00:00"),
    ],
)
def test_the_environment_goes_before_the_settings_and_they_before_files(
    site: DjangoSite, tmp_path: Path, settings: dict[str, object], variables: dict[str, str], expected: str
) -> None:
    """As the table of the settings page. The files are those of the site's folder, wherever a process starts."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "pyproject.toml").write_text('[tool.taskflow]\nretention = "4h"\n')
    (tmp_path / "base" / ".env").write_text("TASKFLOW_RETENTION=3h\n")
    program = "import django; django.setup(); from taskflow import Settings; print(Settings.read().retention)"
    site_variables = {"SITE_TASKFLOW": json.dumps(settings), "SITE_BASE": str(tmp_path / "base")}
    printed = site.call("-c", program, env={"DJANGO_SETTINGS_MODULE": "mysite.settings", **site_variables, **variables})
    assert printed.strip() == expected


def test_a_worker_finds_the_site_from_a_folder_within_it(site: DjangoSite) -> None:
    """By manage.py, as no variable names the settings."""
    site.site = site.site / "ledger"
    assert "celery -A taskflow.contrib.django.fleet worker" in site.call(*PLAN)


def test_a_site_can_be_left_alone(site: DjangoSite) -> None:
    """Or a site whose settings can't be imported here would keep all commands from working."""
    answer = site.call(*PLAN, check=False, env={"TASKFLOW_DJANGO_SETTINGS": "none"})
    assert "celery -A workers worker" in answer
    answer = site.call(*PLAN, check=False, env={"TASKFLOW_DJANGO_SETTINGS": "no.such.module"})
    assert "TASKFLOW_DJANGO_SETTINGS=none makes taskflow leave the site alone" in answer


def test_checks_warn_of_what_does_not_go_together(site: DjangoSite) -> None:
    """Each with what to do."""
    atomic = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True}}
    answer = site.call(
        "manage.py",
        "check",
        check=False,
        env={
            "SITE_DEBUG": "1",
            "SITE_DATABASES": json.dumps(atomic),
            "SITE_TASKFLOW": '{"ON_COMMIT": false}',
            "SITE_APPS": '["stray"]',
        },
    )
    assert answer.startswith("0\n")
    assert all(f"(taskflow.{number})" in answer for number in ("W002", "W003", "W004"))
    assert "stray.jobs declares tasks and is not imported" in answer
    embedded = site.call(
        "manage.py", "check", check=False, env={"TASKFLOW_REDIS_URL": "", "TASKFLOW_ENVIRONMENT": "dev"}
    )
    assert "(taskflow.W001)" in embedded


def test_a_tasks_module_that_can_not_be_imported_is_named(site: DjangoSite) -> None:
    """With the line of the user's code, and without frames of others."""
    answer = site.call(*PLAN, check=False, env={"SITE_APPS": '["broken"]'})
    assert "broken.tasks" in answer
    assert "no_such_module" in answer


@pytest.mark.interpreter
def test_manage_py_has_the_command(site: DjangoSite) -> None:
    """From any folder, with the exit codes and one-line errors of the command itself."""
    manage = str(site.site / "manage.py")
    site.site = site.folder
    shown = site.call(manage, "taskflow", "worker", "--show", "--concurrency", "3")
    assert "celery -A taskflow.contrib.django.fleet worker" in shown
    assert " -c 3 " in shown
    unknown = site.call(manage, "taskflow", "runs", "get", "run_x", check=False)
    assert unknown.startswith("1\n")
    assert "Traceback" not in unknown
    called = "import django; django.setup(); from django.core.management import call_command as call; "
    listed = site.call(
        "-c",
        f"import sys; sys.path.insert(0, {str(DJANGO)!r}); {called} call('taskflow', 'worker', '--show')",
        env={"DJANGO_SETTINGS_MODULE": "mysite.settings"},
    )
    assert "celery -A" in listed


@pytest.mark.interpreter
@pytest.mark.timeout(90)
def test_a_worker_of_manage_py_serves_the_site(site: DjangoSite) -> None:
    """Started in another folder than the site's."""
    manage = str(site.site / "manage.py")
    site.site = site.folder
    site.start_worker(manage, "taskflow", "worker", "--concurrency", "1")
    site.site = DJANGO
    program = (
        "import django; django.setup(); from ledger.tasks import identity; print(identity.trigger().result(timeout=30))"
    )
    assert site.call("-c", program, env={"DJANGO_SETTINGS_MODULE": "mysite.settings"}).split()[0].isdigit()


def test_the_data_of_a_site_can_be_dumped(site: DjangoSite) -> None:
    """Runs and schedules have no tables to read."""
    for words in (("dumpdata",), ("dumpdata", "--all")):
        assert '"model": "auth.permission"' in site.call("manage.py", *words)
    assert "No changes detected" in site.call("manage.py", "makemigrations", "--check", "--dry-run", "taskflow")
