"""Runs and schedules, for the permissions and the admin of a site. The run store has their records, no table."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _Manager = models.Manager[Any]
else:  # the class has no parameter
    _Manager = models.Manager


class NoTable(_Manager):
    """Finds nothing, without a query: for ``dumpdata``, and for pages of the admin that look an object up."""

    def get_queryset(self) -> Any:
        """Return an empty set."""
        return super().get_queryset().none()


class Run(models.Model):
    """A run."""

    id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=64)
    objects = NoTable()

    class Meta:
        """Neither a table nor the permissions to add, change or delete."""

        managed = False
        base_manager_name = "objects"
        default_permissions = ("view",)
        permissions = (
            ("operate_run", "Can cancel, replay and pause runs and queues"),
            ("administer_run", "Can manage alerts, keys and webhooks in the dashboard"),
        )


class Schedule(models.Model):
    """A schedule."""

    id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=64)
    objects = NoTable()

    class Meta:
        """As of runs; to change a schedule is to switch it on or off."""

        managed = False
        base_manager_name = "objects"
        default_permissions = ("view", "change")
