"""The now line in short: what a run does, what it waits for, or how it ended, in a few words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from pydantic_core import to_json

from taskflow.models import Reason, ReasonCode, Run, RunStatus
from taskflow.server.dashboard.view.durations import whole_duration
from taskflow.server.dashboard.view.instants import due_time, running_time
from taskflow.server.dashboard.view.numbers import share
from taskflow.texts import visible

_LONGEST: Final = 160
_WAITS: Final = {"task": "the run of", "batch": "a batch of", "input": "input"}


@dataclass(frozen=True, slots=True)
class Now:
    """The text for people, and the family of colour if it is not plain."""

    text: Markup | str
    tone: str = ""

    @property
    def title(self) -> str:
        """The text without elements."""
        return self.text.striptags() if isinstance(self.text, Markup) else self.text


def now_short(run: Run, token: str = "") -> Now:
    """Return the short now line of a run. It says only what its record and its reason say.

    Args:
        token: The name of the token that it waits for, "" if it has none.
    """
    match run.status:
        case RunStatus.PENDING_VERSION:
            return Now(_pending(run), "amber")
        case RunStatus.DELAYED:
            return Now(Markup("Starts {}").format(due_time(run.due_at)) if run.due_at else "Starts later")
        case RunStatus.QUEUED:
            return Now(_queued(run.reason, run.queue))
        case RunStatus.EXECUTING:
            return Now(_executing(run))
        case RunStatus.REATTEMPTING:
            due = Markup("Next attempt {}").format(due_time(run.due_at)) if run.due_at else Markup("Another attempt")
            return Now(due + (f": {_error(run)}" if _error(run) else ""), "amber")
        case RunStatus.WAITING:
            return Now(_waiting(run, token))
        case RunStatus.COMPLETED:
            return Now(_output(run.output))
        case RunStatus.EXPIRED:
            ttl = f" of {whole_duration(run.ttl)}" if run.ttl else ""
            return Now(f"Waited longer than its ttl{ttl}", "amber")
        case RunStatus.CANCELED:
            return Now(f"Canceled by {run.canceled_by}" if run.canceled_by else "Canceled")
        case _:
            return Now(_error(run) or "Failed", "red")


def _pending(run: Run) -> str:
    if run.reason is not None and run.reason.code is ReasonCode.UNKNOWN_QUEUE:
        return f"No worker has registered the queue {run.queue} yet"
    if run.reason is not None and run.reason.code is ReasonCode.OTHER_VERSION:
        return "No worker has the code of its version"
    return f"No worker has registered {run.task_id} yet"


def _queued(reason: Reason | None, queue: str) -> str:
    if reason is None:
        return f"Queued in {queue}"
    details = reason.details
    place = f"{_ordinal(details['place'])} in line: " if isinstance(details.get("place"), int) else ""
    match reason.code:
        case ReasonCode.QUEUE_PAUSED:
            return f"{place}{queue} is paused" + (f" by {details['by']}" if details.get("by") else "")
        case ReasonCode.ENVIRONMENT_PAUSED:
            return f"{place}the environment is paused" + (f" by {details['by']}" if details.get("by") else "")
        case ReasonCode.CONCURRENCY_LIMIT | ReasonCode.TOTAL_LIMIT:
            return f"{place}{queue} is at its limit"
        case ReasonCode.KEY_LIMIT:
            return f"{place}its concurrency key is at its limit"
        case ReasonCode.ENVIRONMENT_LIMIT:
            return f"{place}the environment is at its limit"
        case ReasonCode.RATE_LIMIT:
            return f"{place}{queue} is at its rate"
        case ReasonCode.NO_WORKER:
            return f"No worker serves {details.get('machine', 'its machine')}"
        case ReasonCode.WORKERS_BUSY:
            return f"{place}the workers of {details.get('machine', 'its machine')} are busy"
        case _:
            return reason.text


def _executing(run: Run) -> Markup | str:
    node = run.attempts[-1].node if run.attempts else ""
    progress = _progress(run.metadata.get("progress"))
    return " · ".join(part for part in (progress, node) if part) or "An attempt executes"


def _progress(value: object) -> str:
    """Return the progress that a run tells in its metadata: a number, or ``{"done": n, "of": m}``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return share(value, 1 if isinstance(value, float) and value <= 1 else 100)
    if isinstance(value, Mapping):
        done, of = value.get("done"), value.get("of")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - a user's document
        if isinstance(done, int | float) and isinstance(of, int | float) and of:
            return f"{share(done, of)} · {done:,} of {of:,}"
    return ""


def _waiting(run: Run, token: str) -> Markup | str:
    if run.waits:
        wait = run.waits[0]
        kind = _WAITS.get(wait.kind, wait.kind)
        name = (token or f"…{wait.name[-4:]}") if wait.kind == "token" else visible(wait.name)  # an id completes it
        what = "time" if wait.kind == "duration" else f"{kind} {name}"
        since = Markup(", for {}").format(running_time(wait.since)) if wait.since else ""
        return Markup("Waits for {}{}").format(what, since)
    return run.reason.text if run.reason else "Waits"


def _output(output: object) -> str:
    if output is None:
        return "Returned nothing"
    try:
        text = to_json(output).decode()
    except ValueError:
        return "Returned a large value"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _error(run: Run) -> str:
    error = run.error or next((attempt.error for attempt in reversed(run.attempts) if attempt.error), None)
    if error is None:
        return ""
    text = f"{error.type}: {error.message}" if error.message else error.type
    line = visible(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _ordinal(value: object) -> str:
    number = value if isinstance(value, int) else 0
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
