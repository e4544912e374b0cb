"""Settings of the example site. It needs no database: the runs are in taskflow's store."""

import os
import secrets
from pathlib import Path

# Without the setting, a restart of the site makes open forms invalid.
SECRET_KEY = os.environ.get("TASKFLOW_SECRET_KEY") or secrets.token_urlsafe(50)
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

ROOT_URLCONF = "website.urls"
WSGI_APPLICATION = "website.wsgi.application"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "website.middleware.TaskflowErrors",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]
USE_TZ = True
