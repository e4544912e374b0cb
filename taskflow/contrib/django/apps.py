"""The app of a Django site: at its start it joins settings, transactions, connections and tasks to taskflow."""

from contextlib import suppress
from typing import Final

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

from taskflow import Settings, SettingsError, guard_of_tests
from taskflow.contrib.django import checks, connections, outbox, test_environment
from taskflow.contrib.django.connections import call_blocking
from taskflow.contrib.django.site_settings import read_site
from taskflow.contrib.django.tasks_backend.setting import make_backends
from taskflow.contrib.django.transactions import DjangoTransactions
from taskflow.definition.task_modules import import_task_modules
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.settings_sources import FRAMEWORK

TASKS: Final = "tasks"
"""The module of each app that declares its tasks."""


class TaskflowConfig(AppConfig):
    """The app ``taskflow.contrib.django``."""

    name = "taskflow.contrib.django"
    label = "taskflow"
    verbose_name = "taskflow"
    default_auto_field = "django.db.models.BigAutoField"  # pyright: ignore[reportAssignmentType] - a cached property

    def ready(self) -> None:
        """Join the site to taskflow, then import the ``tasks.py`` of each app."""
        FRAMEWORK.read = read_site
        TRANSACTIONS.source = DjangoTransactions()
        TRANSACTIONS.call = call_blocking
        with suppress(SettingsError):  # a check tells what is wrong
            TRANSACTIONS.sweep = outbox.sweep if Settings.read().outbox else None
        connections.look_after()
        checks.register()
        guard_of_tests.notice(self.name, test_environment.is_set_up)
        if test_environment.is_command():
            guard_of_tests.begin()
        make_backends()
        import_task_modules(
            f"{config.name}.{TASKS}"
            for config in apps.get_app_configs()
            if config.module is not None and module_has_submodule(config.module, TASKS)
        )
