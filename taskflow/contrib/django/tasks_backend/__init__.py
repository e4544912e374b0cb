"""A backend for Django's own tasks, ``django.tasks`` and the package ``django-tasks``, on runs of taskflow."""
