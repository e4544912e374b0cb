"""The table of the outbox."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Make it."""

    dependencies = [("taskflow", "0001_initial")]  # noqa: RUF012 - as Django has it
    operations = [  # noqa: RUF012
        migrations.CreateModel(
            "OutboxEntry",
            [
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("document", models.TextField()),
                ("created", models.DateTimeField(db_index=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.TextField(blank=True, default="")),
            ],
            options={"verbose_name_plural": "outbox entries", "default_permissions": ()},
        ),
    ]
