"""Runs and schedules, for the permissions and the admin of a site: the run store has their records. And the outbox."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from datetime import datetime

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


class OutboxEntry(models.Model):
    """A trigger in a transaction that has the setting ``OUTBOX``, until its run or batch is made.

    Attributes:
        document: The planned runs, as JSON.
        attempts: How often a worker could not make them, although the run store answered.
    """

    id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=64)
    document: "models.TextField[str, str]" = models.TextField()
    created: "models.DateTimeField[datetime, datetime]" = models.DateTimeField(db_index=True)
    attempts: "models.PositiveSmallIntegerField[int, int]" = models.PositiveSmallIntegerField(default=0)
    error: "models.TextField[str, str]" = models.TextField(default="", blank=True)
    objects: "models.Manager[OutboxEntry]" = models.Manager()

    class Meta:
        """No permissions: nobody changes an entry by hand."""

        default_permissions = ()
        verbose_name_plural = "outbox entries"
