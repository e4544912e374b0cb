"""The tests of a user's site: by ``manage.py test``, alone and in parallel, with runs that execute in place."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.support.fleet import ROOT

FILES: Final = {
    "manage.py": """
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "pages"
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """,
    "pages.py": """
        import json
        from pathlib import Path
        from django.db import transaction
        from django.http import JsonResponse
        from django.urls import path

        BASE_DIR = Path(__file__).parent
        SECRET_KEY = "a secret of the tests only, which is long enough for no warning"
        INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "taskflow.contrib.django", "shop"]
        TASKS = {"default": {"BACKEND": "taskflow.contrib.django.TaskflowBackend", "QUEUES": []}}
        DATABASES = {
            name: {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / name} for name in ("default", "other")
        }
        ROOT_URLCONF = "pages"

        def place(request, name):
            from django.contrib.auth.models import Group
            from shop.tasks import rename
            Group.objects.create(name=name)
            return JsonResponse({"id": rename.trigger(name).id})

        async def aplace(request, name):
            from django.contrib.auth.models import Group
            from shop.tasks import rename
            await Group.objects.acreate(name=name)
            return JsonResponse({"id": (await rename.atrigger(name)).id})

        urlpatterns = [
            path("place/<name>/", place),
            path("atomic/<name>/", transaction.atomic(place)),
            path("aplace/<name>/", aplace),
        ]
        """,
    "shop/__init__.py": "",
    "shop/tasks.py": """
        from django.contrib.auth.models import Group
        from taskflow import task, wait

        @task(id="own-tests-rename")
        def rename(name: str) -> str:
            Group.objects.filter(name=name).update(name=f"new {name}")
            note.trigger(name)
            wait.for_("3d")
            return Group.objects.get(name=f"new {name}").name

        @task(id="own-tests-note")
        def note(name: str) -> str:
            return name

        @task(id="own-tests-greet")
        async def greet(name: str) -> str:
            return f"hello {name}"
        """,
    "shop/django_tasks.py": """
        try:
            from django.tasks import task
        except ImportError:
            from django_tasks import task

        @task
        def double(number):
            return 2 * number

        @task
        async def triple(number):
            return 3 * number
        """,
    "shop/tests.py": """
        import subprocess, sys
        import django
        from django.contrib.auth.models import Group
        from django.test import SimpleTestCase, TestCase
        from shop.django_tasks import double, triple
        from shop.tasks import greet, note, rename
        from taskflow import runs
        from taskflow.testing import InlineMixin, RealStoreError, advance, assert_triggered, triggered

        LOGGER = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"

        class GuardedTests(TestCase):
            def test_a_verb_is_refused(self):
                with self.assertRaisesMessage(RealStoreError, "taskflow.testing.InlineMixin"):
                    note.trigger("ann")

            def test_the_page_that_triggers_is_refused(self):
                with self.assertRaises(RealStoreError):
                    self.client.get("/place/ann/")

            def test_a_process_of_the_test_is_refused(self):
                program = "import django; django.setup(); from shop.tasks import note; note.trigger('ann')"
                done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
                self.assertIn("RealStoreError", done.stderr)

        class PlacedTests(InlineMixin, TestCase):
            databases = ("default", "other")

            def test_a_page_without_a_block_triggers_at_once(self):
                self.client.get("/place/ann/")
                assert_triggered(rename, "ann", times=1)
                assert_triggered(note, "ann", times=1)
                self.assertTrue(Group.objects.filter(name="new ann").exists())
                advance(days=3)
                self.assertEqual([run.output for run in triggered(rename)], ["new ann"])

            def test_a_page_with_a_block_triggers_at_the_commit(self):
                with self.captureOnCommitCallbacks(execute=True):
                    self.client.get("/atomic/bob/")
                    self.assertEqual(triggered(), [])
                assert_triggered(note, "bob", times=1)
                self.client.get("/atomic/eve/")
                assert_triggered(rename, "eve", times=0)

            async def test_a_coroutine_shares_its_rows_with_def_tasks(self):
                handle = runs.handle((await self.async_client.get("/aplace/ann/")).json()["id"])
                self.assertTrue(await Group.objects.filter(name="new ann").aexists())
                await self.taskflow.aadvance(days=3)
                self.assertEqual(await handle.aresult(), "new ann")

            async def test_a_coroutine_of_the_test_waits_for_one_of_a_run(self):
                handle = await greet.atrigger("ann")
                self.assertEqual((await runs.aretrieve(handle.id)).output, "hello ann")

            def test_queries_of_a_run_are_counted(self):
                with self.assertNumQueries(2):
                    Group.objects.create(name="ann")
                    rename.trigger("ann")

        class DjangoTaskTests(InlineMixin, SimpleTestCase):
            ORDER = ["enqueued", "state=RUNNING", "state=SUCCESSFUL"]

            def check(self, logs, result, value):
                words = [word for line in logs.output for word in line.split() if word in self.ORDER]
                self.assertEqual(words, self.ORDER)
                self.assertEqual(result.return_value, value)

            def test_a_task_is_enqueued_before_it_starts(self):
                with self.assertLogs(LOGGER, "DEBUG") as logs:
                    result = double.enqueue(2)
                result.refresh()
                self.check(logs, result, 4)

            async def test_a_task_is_enqueued_before_it_starts_in_a_coroutine(self):
                with self.assertLogs(LOGGER, "DEBUG") as logs:
                    result = await triple.aenqueue(2)
                await result.arefresh()
                self.check(logs, result, 6)
        """,
}


def run_tests(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of the site."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(dedent(text))
    (folder / "tmp").mkdir()
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "manage.py", "test", *options],
        cwd=folder,
        env=given | {"TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("options", [(), ("--parallel", "2")])
def test_a_site_tests_its_tasks_in_place_and_touches_no_real_store(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Without pytest. A run has the transaction of its test, and code that opens no block of its own waits for none."""
    done = run_tests(tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 10 tests" in done.stderr
    assert not (tmp_path / ".taskflow").exists(), "no store of the site was started"


def test_folders_of_sessions_that_were_killed_are_removed(tmp_path: Path) -> None:
    """Processes of a parallel suite are killed at its end. The folder of one that lives stays."""
    program = """
        import os, signal, subprocess, sys
        from taskflow.testing.folder import SessionFolder
        own = SessionFolder()
        print(own.path, flush=True)
        if sys.argv[1:] == ["killed"]:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdin.read()
        """
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", dedent(program)]
    with subprocess.Popen(command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout
        kept = Path(living.stdout.readline().strip())
        left = Path(subprocess.run([*command, "killed"], env=given, capture_output=True, text=True).stdout.strip())
        assert kept.is_dir()
        assert left.is_dir()
        subprocess.run(command, env=given, input="", capture_output=True, text=True, check=True)
        assert kept.is_dir()
        assert not left.exists()
        living.communicate("")
