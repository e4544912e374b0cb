"""A Flask site that triggers a task from a form and shows the run: ``flask --app examples.flask_app.app run``."""

import json
import os
import secrets

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from pydantic import Field, ValidationError
from werkzeug.exceptions import HTTPException

from taskflow import BrokerUnavailableError, PayloadError, RunNotFoundError, StoreUnavailableError, runs
from workers.tasks import Greeting, hello_world

pages = Blueprint("pages", __name__)


class GreetingForm(Greeting):
    """The task's payload as the page accepts it, with limits, because people type it."""

    message: str = Field(min_length=1, max_length=200)


def create_app() -> Flask:
    """Make the site. ``TASKFLOW_SECRET_KEY`` signs its cookie; without it, a restart makes open forms invalid."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=os.environ.get("TASKFLOW_SECRET_KEY") or secrets.token_urlsafe(32),
        SESSION_COOKIE_SAMESITE="Lax",
        TRUSTED_HOSTS=["127.0.0.1", "localhost"],
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.register_blueprint(pages)
    return app


@pages.get("/")
def show_form() -> str:
    """Show the empty form."""
    return _form(message="", problems=[])


@pages.post("/")
def trigger_greeting() -> ResponseReturnValue:
    """Trigger a run and show it, or show the form again with its errors."""
    _check_csrf_token()
    message = request.form.get("message", "").strip()
    try:
        handle = hello_world.trigger(GreetingForm(message=message))
    except ValidationError as invalid:
        return _form(message, [error["msg"] for error in invalid.errors()]), 422
    except PayloadError as invalid:
        return _form(message, [invalid.reason]), 422
    return redirect(url_for("pages.show_run", run_id=handle.id), 303)


@pages.get("/runs/<run_id>")
def show_run(run_id: str) -> str:
    """Show the status of a run. The page reloads itself until the run has ended."""
    run = runs.retrieve(run_id)
    output = run.output if isinstance(run.output, str) else json.dumps(run.output, indent=2, ensure_ascii=False)
    return render_template("run.html", run=run, output=output)


@pages.get("/api/runs/<run_id>")
def get_run(run_id: str) -> dict[str, object]:
    """Return a run as JSON, without tracebacks, which are not meant for visitors."""
    run = runs.retrieve(run_id)
    return {
        "id": run.id,
        "task": run.task_id,
        "status": run.status,
        "is_finished": run.is_finished,
        "output": run.output,
        "error": {"type": run.error.type, "message": run.error.message} if run.error else None,
    }


@pages.app_errorhandler(RunNotFoundError)
def answer_unknown_run(error: RunNotFoundError) -> ResponseReturnValue:
    """Answer 404: the run was never made, or its record has expired."""
    return _problem(404, f"There is no run {error.run_id}, or it ended so long ago that it is forgotten.")


@pages.app_errorhandler(StoreUnavailableError)
@pages.app_errorhandler(BrokerUnavailableError)
def answer_unavailable(error: StoreUnavailableError | BrokerUnavailableError) -> ResponseReturnValue:
    """Answer 503: the store is down. The page names a run that may exist, so that it is not triggered twice."""
    text = "Background work is not available at the moment. Please try again in a minute."
    if isinstance(error, BrokerUnavailableError):
        text = "Your request was taken, but it starts later than usual. There is no need to send it again."
    elif error.may_exist:
        text += f" Your request may have been taken: look at run {error.run_id} before you send it again."
    return _problem(503, text)


@pages.app_errorhandler(HTTPException)
def answer_refused(error: HTTPException) -> ResponseReturnValue:
    """Answer any other error: programs get JSON, people get Flask's own page."""
    if request.path.startswith("/api/"):
        return {"error": error.description or error.name}, error.code or 500
    return error


@pages.after_app_request
def add_security_headers(response: Response) -> Response:
    """Keep the pages out of frames and out of caches."""
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _form(message: str, problems: list[str]) -> str:
    token = session.setdefault("csrf_token", secrets.token_urlsafe(32))
    return render_template("form.html", message=message, problems=problems, csrf_token=token)


def _check_csrf_token() -> None:
    wanted = session.get("csrf_token")
    sent = request.form.get("csrf_token", "")
    if not wanted or not secrets.compare_digest(wanted.encode(), sent.encode()):
        abort(403, "This form is too old or comes from another site. Open the page again.")


def _problem(status: int, text: str) -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        return {"error": text}, status
    return render_template("problem.html", status=status, text=text), status
