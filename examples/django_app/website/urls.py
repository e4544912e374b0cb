"""The site's addresses."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.greet, name="greet"),
    path("runs/<str:run_id>", views.show_run, name="show-run"),
    path("api/runs/<str:run_id>", views.get_run, name="get-run"),
]
