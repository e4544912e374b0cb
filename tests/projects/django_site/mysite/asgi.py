"""The tests' site with the dashboard below /tasks."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
site = get_asgi_application()

from taskflow.contrib.django.dashboard import with_dashboard  # noqa: E402 - behind the set-up

application = with_dashboard(site, "/tasks")
