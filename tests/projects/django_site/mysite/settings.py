"""Settings of the tests' site. ``SITE_FOLDER`` holds its databases; ``SITE_*`` variables make it another site."""

import json
import os
from pathlib import Path
from typing import Any

import django

BASE_DIR = Path(os.environ.get("SITE_BASE", Path(__file__).parents[1]))
SITE_FOLDER = Path(os.environ.get("SITE_FOLDER", BASE_DIR))
SECRET_KEY = "a secret of the tests only, which is long enough for no warning"
DEBUG = os.environ.get("SITE_DEBUG", "1") == "1"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "taskflow.contrib.django",
    "ledger",
    *([] if django.VERSION >= (6, 0) else ["django_tasks"]),
    *json.loads(os.environ.get("SITE_APPS", "[]")),
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "mysite.urls"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick: passwords are Django's own business
LOGIN_URL = "/admin/login/"
_sqlite = {"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": 60, "OPTIONS": {"timeout": 20}}
DATABASES = {
    "default": {**_sqlite, "NAME": SITE_FOLDER / "site.sqlite3"},
    "other": {**_sqlite, "NAME": SITE_FOLDER / "other.sqlite3"},
    **json.loads(os.environ.get("SITE_DATABASES", "{}")),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TASKFLOW = json.loads(os.environ.get("SITE_TASKFLOW", "{}"))
_OURS = "taskflow.contrib.django.TaskflowBackend"
_IMMEDIATE = "tasks.backends.immediate.ImmediateBackend"
TASKS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": _OURS, "QUEUES": []},
    "patient": {"BACKEND": _OURS, "QUEUES": [], "OPTIONS": {"MAX_ATTEMPTS": 3}},
    "at-once": {"BACKEND": _OURS, "QUEUES": [], "OPTIONS": {"ENQUEUE_ON_COMMIT": False}},
    "immediate": {"BACKEND": f"django.{_IMMEDIATE}" if django.VERSION >= (6, 0) else f"django_{_IMMEDIATE}"},
}
