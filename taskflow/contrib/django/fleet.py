"""The Celery app of a Django site, which ``taskflow worker`` serves: ``celery -A taskflow.contrib.django.fleet``."""

from taskflow import TaskFlow
from taskflow.contrib.django.site import enter_site
from taskflow.errors import SettingsError

if not enter_site():
    raise SettingsError(
        "There is no Django site with taskflow here. Add 'taskflow.contrib.django' to its INSTALLED_APPS, and call "
        "from the folder of manage.py or set DJANGO_SETTINGS_MODULE."
    )

flow = TaskFlow().set_default()
app = flow.celery
