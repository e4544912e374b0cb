"""The plan of each kind of project: its changes, what is left to its owner, and the commands that come next."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from taskflow.cli.init import installed_apps, merging
from taskflow.cli.init.changes import Change, new_file, read_file
from taskflow.cli.init.kinds import Found, Kind
from taskflow.cli.init.templates import project_values, rendered

_TASKS: Final = "your tasks: one, hello-world, to begin with"
_TEST: Final = "a test of that task, which needs no server"
_PYPROJECT: Final = "the dependencies, and the settings of taskflow in [tool.taskflow]"
_GITIGNORE: Final = "keeps the store and the history of development out of git"
_NEW_FILES: Final = {
    Kind.PLAIN: {"tasks.py": _TASKS},
    Kind.FLASK: {"app.py": "the Flask application, which triggers runs", "tasks.py": _TASKS},
    Kind.FASTAPI: {"main.py": "the FastAPI application, which triggers runs", "tasks.py": _TASKS},
    Kind.DJANGO: {
        "manage.py": "Django's command",
        "mysite/__init__.py": "makes mysite a package",
        "mysite/settings.py": "the settings of the site; those of taskflow are in TASKFLOW",
        "mysite/urls.py": "the addresses of the site",
        "mysite/views.py": "a form that triggers a run, and the status of the run",
        "mysite/tasks.py": _TASKS,
        "mysite/test_tasks.py": _TEST,
        "mysite/asgi.py": "the site for ASGI servers, with the dashboard at /taskflow",
        "conftest.py": "sets Django up for pytest",
    },
}
_SITE: Final = {
    Kind.FLASK: ("flask run", "serve the site, at http://127.0.0.1:5000"),
    Kind.FASTAPI: ("uvicorn main:app", "serve the site, at http://127.0.0.1:8000"),
    Kind.DJANGO: ("python manage.py runserver", "serve the site, at http://127.0.0.1:8000"),
}
_JOINING: Final = {
    Kind.FLASK: "from taskflow.contrib.flask import Taskflow\nTaskflow(app)  # runs execute in the app's context",
    Kind.FASTAPI: "from taskflow.contrib.fastapi import exception_handlers, taskflow_lifespan\n"
    "app = FastAPI(lifespan=taskflow_lifespan, exception_handlers=exception_handlers)",
}


@dataclass(slots=True)
class Plan:
    """The changes of a folder by ``taskflow init``, and the steps that are left to its owner.

    Attributes:
        kind: The kind of the project.
        changes: Of its files.
        by_hand: What the owner has to do: a sentence, and the lines to add.
        site: The command that serves the site, and what it is for; None without one.
        tests: The command that runs the tests.
        task: Whether the project has the task hello-world afterwards.
    """

    kind: Kind
    changes: list[Change]
    by_hand: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    site: tuple[str, str] | None = None
    tests: str = "pytest"
    task: bool = True


def plan(folder: Path, found: Found) -> Plan:
    """Return the plan for a folder, of which nothing is written.

    Raises:
        TaskflowError: An existing file can't be read or continued.
    """
    if found.file is None:
        return _new(folder, found.kind)
    return _of_site(folder) if found.kind is Kind.DJANGO else _of_application(folder, found.kind, found.file)


def _new(folder: Path, kind: Kind) -> Plan:
    values = project_values(folder) | {"module": "mysite.tasks" if kind is Kind.DJANGO else "tasks"}
    files = _NEW_FILES[kind] | ({} if kind is Kind.DJANGO else {"test_tasks.py": _TEST})
    changes = [
        new_file(folder, Path(path), purpose, rendered(_template(kind, path), **values))
        for path, purpose in files.items()
    ]
    whole = rendered(f"{kind}/pyproject.toml", **values)
    made = Plan(kind, changes, site=_SITE.get(kind))
    table = whole[whole.index("[tool.taskflow]") :] if kind is not Kind.DJANGO else ""
    _add_project_files(folder, made, whole, table)
    return made


def _template(kind: Kind, path: str) -> str:
    name = Path(path).name
    if name in ("tasks.py", "test_tasks.py"):
        return f"{'django_app' if kind is Kind.DJANGO else 'common'}/{name}"
    return f"{kind}/{path}"


def _of_application(folder: Path, kind: Kind, file: Path) -> Plan:
    """Plan for a folder that has an application of Flask or FastAPI: its modules are left to their owner."""
    tasks = file.parent / "tasks.py"
    module = ".".join(tasks.with_suffix("").parts)
    changes = [
        new_file(folder, tasks, _TASKS, rendered("common/tasks.py")),
        new_file(folder, Path("test_tasks.py"), _TEST, rendered("common/test_tasks.py", module=module)),
    ]
    made = Plan(kind, changes)
    table = f'[tool.taskflow]\ntasks = ["{module}"] # modules that declare tasks\n'
    values = project_values(folder)
    whole = rendered("plain/pyproject.toml", **values).partition("[tool.setuptools]")[0] + table
    _add_project_files(folder, made, whole.replace("[server]", f"[{kind},server]"), table)
    if f"taskflow.contrib.{kind}".encode() not in (read_file(folder, file) or b""):
        made.by_hand.append((f"Join your application to taskflow, in {file}:", _JOINING[kind]))
    return made


def _of_site(folder: Path) -> Plan:
    """Plan for a Django site: taskflow's entry in INSTALLED_APPS, and tasks in the first app that has none."""
    made = Plan(Kind.DJANGO, [], site=_SITE[Kind.DJANGO], tests="python manage.py test", task=False)
    settings = installed_apps.settings_file(folder)
    text = (read_file(folder, settings) if settings else None) or b""
    if settings is None or installed_apps.APP.encode() not in text:
        edited = installed_apps.with_entry(text) if settings else None
        entry = f'"{installed_apps.APP}",\n'
        if settings is not None and edited is not None:
            made.changes.append(Change(settings, "the settings of the site", edited, text, entry))
        else:
            where = settings or "the settings of the site"
            made.by_hand.append((f"Add taskflow to INSTALLED_APPS, in {where}:", f"INSTALLED_APPS += [{entry[:-2]}]"))
    if app := _app_without_tasks(folder, installed_apps.installed_apps(text)):
        module = ".".join((*app.parts, "tasks"))
        test = rendered("django_app/test_tasks.py", module=module)
        made.changes += [
            new_file(folder, app / "tasks.py", _TASKS, rendered("django_app/tasks.py")),
            new_file(folder, app / "test_tasks.py", _TEST, test),
        ]
        made.task = True
    made.changes.append(merging.gitignore(folder, _GITIGNORE, rendered("common/gitignore")))
    return made


def _app_without_tasks(folder: Path, names: list[str]) -> Path | None:
    """Return the first app of the site itself that has no tasks, or those that an earlier call has made."""
    packages = [Path(*name.partition(".apps.")[0].split(".")) for name in names]
    own = [package for package in packages if (folder / package / "__init__.py").is_file()]
    ours = rendered("django_app/tasks.py").encode()
    for package in own:
        if read_file(folder, package / "tasks.py") == ours:
            return package
    taken = ("tasks.py", "tasks", "test_tasks.py")
    return next((each for each in own if not any((folder / each / name).exists() for name in taken)), None)


def _add_project_files(folder: Path, made: Plan, whole: str, table: str) -> None:
    purpose = _PYPROJECT if table else "the dependencies"
    project = merging.pyproject(folder, purpose, whole=whole, table=table)
    if project.before is not None and b"celery-taskflow" not in project.before:
        extras = "server" if made.kind is Kind.PLAIN else f"{made.kind},server"
        made.by_hand.append(("Add taskflow to the dependencies of your project:", f"celery-taskflow[{extras}]"))
    if table and (lines := merging.missing_settings(project, table)):
        made.by_hand.append(("Add to [tool.taskflow] of your pyproject.toml:", lines))
    made.changes += [project, merging.gitignore(folder, _GITIGNORE, rendered("common/gitignore"))]
