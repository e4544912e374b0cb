"""Runs and schedules, without tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Make the state from which Django makes content types and permissions."""

    initial = True
    operations = [  # noqa: RUF012 - as Django has it
        migrations.CreateModel(
            "Run",
            [("id", models.CharField(max_length=64, primary_key=True, serialize=False))],
            options={
                "managed": False,
                "base_manager_name": "objects",
                "default_permissions": ("view",),
                "permissions": (
                    ("operate_run", "Can cancel, replay and pause runs and queues"),
                    ("administer_run", "Can manage alerts, keys and webhooks in the dashboard"),
                ),
            },
        ),
        migrations.CreateModel(
            "Schedule",
            [("id", models.CharField(max_length=64, primary_key=True, serialize=False))],
            options={"managed": False, "base_manager_name": "objects", "default_permissions": ("view", "change")},
        ),
    ]
