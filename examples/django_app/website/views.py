"""The pages: a form that triggers a task, and a run."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from pydantic import ValidationError

from taskflow import PayloadError, runs
from workers.tasks import hello_world

from .forms import GreetingForm


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def greet(request: HttpRequest) -> HttpResponse:
    """Show the form. On POST trigger a run and show it, or show the form again with its errors."""
    if request.method != "POST":
        return _form(request, message="", problems=[])
    message = request.POST.get("message", "").strip()
    try:
        handle = hello_world.trigger(GreetingForm(message=message))
    except ValidationError as invalid:
        return _form(request, message, [error["msg"] for error in invalid.errors()])
    except PayloadError as invalid:
        return _form(request, message, [invalid.reason])
    return redirect("show-run", run_id=handle.id)


@never_cache
@require_safe
def show_run(request: HttpRequest, run_id: str) -> HttpResponse:
    """Show the status of a run. The page reloads itself until the run has ended."""
    run = runs.retrieve(run_id)
    output = run.output if isinstance(run.output, str) else json.dumps(run.output, indent=2, ensure_ascii=False)
    return render(request, "run.html", {"run": run, "output": output})


@never_cache
@require_safe
def get_run(_request: HttpRequest, run_id: str) -> HttpResponse:
    """Return a run as JSON, without tracebacks, which are not meant for visitors."""
    run = runs.retrieve(run_id)
    return JsonResponse(
        {
            "id": run.id,
            "task": run.task_id,
            "status": run.status,
            "is_finished": run.is_finished,
            "output": run.output,
            "error": {"type": run.error.type, "message": run.error.message} if run.error else None,
        }
    )


def _form(request: HttpRequest, message: str, problems: list[str]) -> HttpResponse:
    context = {"message": message, "problems": problems}
    return render(request, "form.html", context, status=422 if problems else 200)
