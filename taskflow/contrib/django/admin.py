"""Runs and schedules in Django's admin, read from the run store, with the site's permissions."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from taskflow import Run as FlowRun
from taskflow import RunFilter, RunNotFoundError, RunStatus, TaskflowError, runs, schedules
from taskflow.contrib.django.models import Run, Schedule
from taskflow.contrib.django.permissions import may
from taskflow.contrib.django.shown_runs import shown, shown_list

PAGE: Final = 50
_FILTERS: Final = ("status", "task", "tag", "queue")


if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:  # the class has no parameter
    _ModelAdmin = admin.ModelAdmin


class _StoreAdmin(_ModelAdmin):
    """A model without a table: nothing is added, changed or deleted by Django's own forms."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the admin adds one: never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether the admin deletes one: never."""
        return False

    def require_view(self, request: HttpRequest) -> None:
        """Refuse users who may not look, before the store is asked."""
        if not self.has_view_permission(request):
            raise PermissionDenied

    def page(self, request: HttpRequest, template: str, title: str, **values: object) -> TemplateResponse:
        """Answer with a page of the admin."""
        request.current_app = self.admin_site.name  # read by {% url %} of the template
        context = {**self.admin_site.each_context(request), "opts": self.model._meta, "title": title, **values}
        return TemplateResponse(request, f"admin/taskflow/{template}", context)

    def address(self, name: str, *args: str) -> str:
        """Return the address of a page, in the admin that shows this one."""
        return reverse(f"admin:taskflow_{name}", args=args, current_app=self.admin_site.name)

    def verb_urls(self, **verbs: Callable[..., HttpResponse]) -> list[URLPattern]:
        """Return the addresses of actions on one object: ``<id>/<verb>/``."""
        name = self.model._meta.model_name
        view = self.admin_site.admin_view
        return [path(f"<path:key>/{verb}/", view(call), name=f"taskflow_{name}_{verb}") for verb, call in verbs.items()]

    def act(self, request: HttpRequest, permission: str, action: Callable[[], str], after: str) -> HttpResponse:
        """Do what a form asks for, say what became of it, and go back."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not may(request.user, permission):
            raise PermissionDenied
        try:
            messages.success(request, action())
        except TaskflowError as error:
            messages.error(request, str(error))
        return redirect(after)


@admin.register(Run)
class RunAdmin(_StoreAdmin):
    """Runs, newest first; one run with its attempts; cancel and replay."""

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether the admin changes a run: never."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the actions."""
        return [*self.verb_urls(cancel=self._cancel, replay=self._replay), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show a page of runs."""
        self.require_view(request)
        given = {name: request.GET.get(name, "").strip() for name in _FILTERS}
        rows, following = list[FlowRun](), None
        try:
            where = RunFilter(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
            found = runs.list(PAGE, where=where, cursor=request.GET.get("cursor") or None)
            rows, following = shown_list(list(found)), found.cursor
        except TaskflowError as error:
            messages.error(request, str(error))
        values = {"rows": rows, "given": given, "following": following, "statuses": list(RunStatus)}
        return self.page(request, "runs.html", "Runs", **values)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one run."""
        self.require_view(request)
        try:
            run = shown(runs.retrieve(object_id))
        except RunNotFoundError:
            raise Http404(f"There is no run {object_id}") from None
        documents = {
            name: json.dumps(value, indent=2, ensure_ascii=False, default=str)
            for name, value in (("Payload", run.payload), ("Output", run.output), ("Metadata", dict(run.metadata)))
        }
        may_operate = may(request.user, "taskflow.operate_run")
        return self.page(request, "run.html", run.id, run=run, documents=documents, may_operate=may_operate)

    def _cancel(self, request: HttpRequest, key: str) -> HttpResponse:
        def cancel() -> str:
            return "The run is canceled." if runs.cancel(key) else "The run had ended already."

        return self.act(request, "taskflow.operate_run", cancel, self.address("run_change", key))

    def _replay(self, request: HttpRequest, key: str) -> HttpResponse:
        def replay() -> str:
            return f"{runs.handle(key).replay().id} is a new run like it."

        return self.act(request, "taskflow.operate_run", replay, self.address("run_change", key))


@admin.register(Schedule)
class ScheduleAdmin(_StoreAdmin):
    """Schedules, which are switched on and off."""

    def get_urls(self) -> list[URLPattern]:
        """Add the actions."""
        return [*self.verb_urls(activate=self._activate, deactivate=self._deactivate), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show a page of schedules."""
        self.require_view(request)
        number = request.GET.get("page", "1")
        found: Any = None
        try:
            found = schedules.list(page=int(number) if number.isdecimal() else 1, per_page=PAGE)
        except TaskflowError as error:
            messages.error(request, str(error))
        return self.page(
            request, "schedules.html", "Schedules", found=found, may_change=self.has_change_permission(request)
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the list, which has everything of a schedule."""
        return redirect(self.address("schedule_changelist"))

    def _activate(self, request: HttpRequest, key: str) -> HttpResponse:
        return self._switch(request, key, lambda: f"{schedules.activate(key).id} is active.")

    def _deactivate(self, request: HttpRequest, key: str) -> HttpResponse:
        return self._switch(request, key, lambda: f"{schedules.deactivate(key).id} is paused.")

    def _switch(self, request: HttpRequest, key: str, action: Callable[[], str]) -> HttpResponse:
        return self.act(request, "taskflow.change_schedule", action, self.address("schedule_changelist"))
