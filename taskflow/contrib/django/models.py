"""Runs and schedules, for the permissions and the admin of a site. The run store has their records, no table."""

from django.db import models


class Run(models.Model):
    """A run."""

    id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=64)

    class Meta:
        """Neither a table nor the permissions to add, change or delete."""

        managed = False
        default_permissions = ("view",)
        permissions = (
            ("operate_run", "Can cancel, replay and pause runs and queues"),
            ("administer_run", "Can manage alerts, keys and webhooks in the dashboard"),
        )


class Schedule(models.Model):
    """A schedule."""

    id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=64)

    class Meta:
        """As of runs; to change a schedule is to switch it on or off."""

        managed = False
        default_permissions = ("view", "change")
