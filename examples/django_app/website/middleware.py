"""Answers for taskflow's errors, so that no view has to catch them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from taskflow import BrokerUnavailableError, RunNotFoundError, StoreUnavailableError


class TaskflowErrors:
    """Turns an unknown run into 404, and a store that does not answer into 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the answer for an error that a view raised, None to leave it to Django."""
        match exception:
            case RunNotFoundError(run_id=run_id):
                text = f"There is no run {run_id}, or it ended so long ago that it is forgotten."
                return _problem(request, 404, text)
            case BrokerUnavailableError():
                text = "Your request was taken, but it starts later than usual. There is no need to send it again."
                return _problem(request, 503, text)
            case StoreUnavailableError(may_exist=may_exist, run_id=run_id):
                text = "Background work is not available at the moment. Please try again in a minute."
                if may_exist:  # the page names a run that may exist, so that it is not triggered twice
                    text += f" Your request may have been taken: look at run {run_id} before you send it again."
                return _problem(request, 503, text)
            case _:
                return None


def _problem(request: HttpRequest, status: int, text: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"error": text}, status=status)
    return render(request, "problem.html", {"status": status, "text": text}, status=status)
