"""The pytest plugin and the helpers of ``taskflow.testing``, as a user's suite runs them: in a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.support.servers import RedisServer

ROOT: Final = Path(__file__).parents[2]
_PYTEST: Final = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_taskflow"]
_TASKS: Final = """
from datetime import timedelta
from pydantic import BaseModel
from taskflow import task, wait


class Mail(BaseModel):
    to: str
    subject: str = "Hello"


@task(id="plugin-mail")
def send(mail: Mail) -> str:
    return f"sent to {mail.to}"


@task(id="plugin-wait")
def remind(days: int) -> str:
    wait.for_(timedelta(days=days))
    return "reminded"
"""

pytestmark = pytest.mark.timeout(120)


def run_pytest(folder: Path, test: str, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest on one module of tests in a project of its own."""
    (folder / "plugged_tasks.py").write_text(_TASKS)
    (folder / "test_it.py").write_text(dedent(test))
    (folder / "pyproject.toml").touch()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_taskflow",
        *options,
        "test_it.py",
    ]
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the plugins of our own tests take a second to load
    return subprocess.run(
        command, cwd=folder, env=given | alone | env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.timeout(300)
def test_the_suite_of_the_shop_is_the_same_in_place_and_with_workers(tmp_path: Path) -> None:
    """The twenty tests of examples/shop pass unchanged, whichever way their runs execute."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_taskflow",
        "-c",
        os.devnull,
    ]
    command += ["--rootdir", str(ROOT), "--import-mode=importlib", str(ROOT / "examples" / "shop")]
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    given |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for way in ("inline", "workers"):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=given | {"PYTEST_TASKFLOW": way},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        print(f"{way}: {done.stdout.splitlines()[-1]}")


def test_a_test_that_would_use_a_real_store_is_refused(tmp_path: Path) -> None:
    """Blocking and async verbs and Celery's own send_task say which fixture to take, and start no server."""
    done = run_pytest(
        tmp_path,
        """
        import asyncio
        import pytest
        from plugged_tasks import Mail, send
        from taskflow import TaskFlow
        from taskflow.testing import RealStoreError

        MAIL = Mail(to="ann")
        CALLS = [
            lambda: send.trigger(MAIL),
            lambda: asyncio.run(send.atrigger(MAIL)),
            lambda: TaskFlow.current().celery.send_task("plugin-mail", args=[{"to": "ann"}]),
        ]

        @pytest.mark.parametrize("call", CALLS)
        def test_refused(call):
            with pytest.raises(RealStoreError, match=r"would use unix://.*store.sock.*taskflow_inline"):
                call()

        def test_of_the_next_fixture(taskflow_inline):
            assert send.trigger(MAIL).result() == "sent to ann"
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / ".taskflow").exists()


def test_unittest_and_processes_of_tests_are_refused_too(tmp_path: Path) -> None:
    """Whichever runner executes the suite."""
    test = """
        import subprocess, sys, unittest
        from plugged_tasks import Mail, send
        from taskflow.testing import InlineMixin, RealStoreError

        PROGRAM = "from plugged_tasks import Mail, send; send.trigger(Mail(to='ann'))"

        class Refused(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                try:
                    send.trigger(Mail(to="ann"))
                except RealStoreError:
                    cls.is_refused = True

            def test_verb(self):
                self.assertTrue(self.is_refused)
                with self.assertRaises(RealStoreError):
                    send.trigger(Mail(to="ann"))

        class Placed(InlineMixin, unittest.TestCase):
            def test_place(self):
                self.assertEqual(send.trigger(Mail(to="ann")).result(), "sent to ann")

        def test_process():
            done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
            assert "RealStoreError" in done.stderr

        if __name__ == "__main__":
            unittest.main()
        """
    done = run_pytest(tmp_path, test)
    assert done.returncode == 0, done.stdout + done.stderr
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for words in (["-m", "unittest", "test_it"], ["test_it.py"]):
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Ran 2 tests" in done.stderr
    assert not (tmp_path / ".taskflow").exists()


@pytest.mark.parametrize("permission", ["-otaskflow_real_store=true", "mark"])
def test_a_suite_and_a_test_may_be_allowed_to_use_a_real_store(
    tmp_path: Path, permission: str, valkey: RedisServer
) -> None:
    """Suites with servers of their own set an option, single tests have a marker."""
    done = run_pytest(
        tmp_path,
        f"""
        import pytest
        from plugged_tasks import Mail, send

        {"@pytest.mark.taskflow_real_store" if permission == "mark" else ""}
        def test_allowed():
            assert send.trigger(Mail(to="ann")).status() == "PENDING_VERSION"
        """,
        *([] if permission == "mark" else [permission]),
        TASKFLOW_REDIS_URL=valkey.url,
        TASKFLOW_ENVIRONMENT="plugin-real",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_missing_trigger_shows_what_came_near(tmp_path: Path) -> None:
    """The message names the payloads that were triggered, and where they differ."""
    done = run_pytest(
        tmp_path,
        """
        from plugged_tasks import Mail, remind, send
        from taskflow.testing import assert_triggered

        def test_other_payload(taskflow_inline):
            send.trigger(Mail(to="bob"))
            assert_triggered(send, Mail(to="ann"))

        def test_other_task(taskflow_inline):
            send.trigger(Mail(to="bob"))
            assert_triggered(remind)

        def test_too_often(taskflow_inline):
            send.trigger(Mail(to="bob"))
            send.trigger(Mail(to="bob"))
            assert_triggered(send, {"to": "bob"}, times=1)

        def test_not_at_all(taskflow_inline):
            assert_triggered(send, times=0)
        """,
    )
    shown = done.stdout
    assert "3 failed, 1 passed" in shown
    wanted = '{"to":"ann","subject":"Hello"}'
    assert f"Task 'plugin-mail' was to be triggered at least once with the payload {wanted}, " in shown
    assert 'to: is "bob", expected "ann"' in shown
    assert "Task 'plugin-wait' was to be triggered at least once, and was not triggered. Triggered were: " in shown
    assert "plugin-mail (1)." in shown
    assert "was to be triggered once with the payload" in shown
    assert "and was triggered 2 times:" in shown


def test_unittest_and_coroutines_have_the_same_helpers(tmp_path: Path) -> None:
    """InlineMixin is for unittest's classes, also the asynchronous one; setUp and tearDown are within."""
    done = run_pytest(
        tmp_path,
        """
        import unittest
        from plugged_tasks import Mail, remind, send
        from taskflow.testing import InlineMixin, advance, assert_triggered

        class OrderTests(InlineMixin, unittest.TestCase):
            def setUp(self):
                self.handle = remind.trigger(3)

            def test_reminder(self):
                self.assertEqual(self.handle.status(), "WAITING")
                advance(days=3)
                self.assertEqual(self.handle.result(), "reminded")

            def test_empty(self):
                assert_triggered(remind, times=1)

        class AsyncTests(InlineMixin, unittest.IsolatedAsyncioTestCase):
            async def test_mail(self):
                handle = await send.atrigger(Mail(to="ann"))
                self.assertEqual(await handle.aresult(), "sent to ann")
                later = await remind.atrigger(2)
                await self.taskflow.aadvance(days=2)
                self.assertEqual(await later.aresult(), "reminded")
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_tests_of_django_share_its_transaction(tmp_path: Path) -> None:
    """A run sees the rows of its test, which are rolled back at the end."""
    done = run_pytest(
        tmp_path,
        """
        import django
        from django.conf import settings

        settings.configure(
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        )
        django.setup()

        from django.contrib.auth.models import Group
        from django.core.management import call_command
        from django.test import TestCase
        from taskflow import task, wait
        from taskflow.testing import InlineMixin, advance

        call_command("migrate", verbosity=0)

        @task(id="plugin-django")
        def rename(name: str) -> int:
            Group.objects.filter(name=name).update(name="renamed")
            wait.for_("3d")
            return Group.objects.filter(name="renamed").count()

        class GroupTests(InlineMixin, TestCase):
            def test_first(self):
                Group.objects.create(name="staff")
                handle = rename.trigger("staff")
                self.assertTrue(Group.objects.filter(name="renamed").exists())
                advance(days=3)
                self.assertEqual(handle.result(), 1)

            def test_second(self):
                self.assertFalse(Group.objects.exists())
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_real_workers_execute_in_the_background(tmp_path: Path) -> None:
    """taskflow_store has worker processes, whose time the test moves, and each test an empty store. No file is left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = run_pytest(
        tmp_path,
        """
        import os
        from plugged_tasks import remind
        from taskflow import task
        from taskflow.testing import advance, settle, triggered

        @task(id="plugin-pid")
        def pid() -> int:
            return os.getpid()

        def test_process(taskflow_store):
            assert pid.trigger().result(timeout=20) != os.getpid()

        def test_time(taskflow_store):
            assert triggered() == []
            handle = remind.trigger(3)
            settle()
            assert handle.status() == "WAITING"
            advance(days=3)
            assert handle.result(timeout=20) == "reminded"

        def test_in_place_beside_workers(taskflow_inline):
            for _ in range(20):
                assert pid.trigger().result() == os.getpid()
        """,
        TMPDIR=str(temporary),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(temporary.iterdir()) == []


def test_verbs_over_http_and_further_stores_are_guarded_too(tmp_path: Path, valkey: RedisServer) -> None:
    """A server of the project is as real as its store; one that the suite has started can be allowed."""
    done = run_pytest(
        tmp_path,
        f"""
        import os
        import pytest
        from plugged_tasks import Mail, send
        from taskflow import Settings, TaskFlow
        from taskflow.testing import RealStoreError, allow_store

        def test_http(monkeypatch):
            monkeypatch.setenv("TASKFLOW_API_URL", "http://127.0.0.1:9")
            monkeypatch.setenv("TASKFLOW_API_KEY", "tr_test_sk_123456789012345678901234")
            with pytest.raises(RealStoreError, match="would use http://127.0.0.1:9"):
                send.trigger(Mail(to="ann"))

        def test_in_place_although_a_server_is_set(monkeypatch, taskflow_inline):
            monkeypatch.setenv("TASKFLOW_API_URL", "http://127.0.0.1:9")
            monkeypatch.setenv("TASKFLOW_API_KEY", "tr_test_sk_123456789012345678901234")
            assert send.trigger(Mail(to="ann")).result() == "sent to ann"

        def test_own_server():
            with TaskFlow(Settings.read(redis_url="{valkey.url}", environment="plugin-own", database_url="none")):
                with pytest.raises(RealStoreError):
                    send.trigger(Mail(to="ann"))
                allow_store("{valkey.url}")
                assert send.trigger(Mail(to="ann")).status() == "PENDING_VERSION"
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_pytest_without_these_fixtures_does_not_import_taskflow(tmp_path: Path) -> None:
    """A project that has it installed and does not use it pays nothing at the start of its tests."""
    done = run_pytest(
        tmp_path,
        """
        import sys

        def test_nothing():
            assert not [name for name in sys.modules if name == "taskflow" or name.startswith(("taskflow.", "celery"))]
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
