"""Orders."""

from django.db import models


class Order(models.Model):
    """An order, and the run that confirms it."""

    email: "models.EmailField[str, str]" = models.EmailField()
    quantity: "models.PositiveIntegerField[int, int]" = models.PositiveIntegerField()
    status: "models.CharField[str, str]" = models.CharField(max_length=20, default="placed")
    run_id: "models.CharField[str, str]" = models.CharField(max_length=64, blank=True)
