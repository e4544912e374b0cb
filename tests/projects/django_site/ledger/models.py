"""Orders, each with the id of its run, and what runs have done."""

from django.db import models


class Order(models.Model):
    """An order. Written in the transaction that triggers its run."""

    name: "models.CharField[str, str]" = models.CharField(max_length=100)
    run_id: "models.CharField[str, str]" = models.CharField(max_length=100, default="")


class Effect(models.Model):
    """One execution of a run."""

    name: "models.CharField[str, str]" = models.CharField(max_length=100)
    run_id: "models.CharField[str, str]" = models.CharField(max_length=100)
    saw_order: "models.BooleanField[bool, bool]" = models.BooleanField()
    process: "models.CharField[str, str]" = models.CharField(max_length=100, default="")
    was_open: "models.BooleanField[bool, bool]" = models.BooleanField(default=False)
