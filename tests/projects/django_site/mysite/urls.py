"""Addresses of the tests' site, which has two admins."""

from django.contrib import admin
from django.urls import path

from taskflow.contrib.django.admin import RunAdmin
from taskflow.contrib.django.models import Run

backstage = admin.AdminSite("backstage")
backstage.register(Run, RunAdmin)
urlpatterns = [path("admin/", admin.site.urls), path("backstage/", backstage.urls)]
