"""The now line of a run: one sentence about what it does, what it waits for, or how it ended."""

from dataclasses import dataclass

from markupsafe import Markup

from taskflow.definition.calls.tokens import Token
from taskflow.models import Run, RunStatus, RunWait
from taskflow.server.dashboard.pages.run.trace_rows import short_node
from taskflow.server.dashboard.token_names import name_of
from taskflow.server.dashboard.view.durations import duration
from taskflow.server.dashboard.view.instants import age_time, due_time, running_time
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.view.statuses import WORDS, short_id
from taskflow.texts import visible

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class NowLine:
    """The sentence, and the page that helps: its address and the words of its button.

    ``acts``: only operators may open that page.
    """

    text: Markup
    address: str = ""
    button: str = ""
    acts: bool = False


def now_line(run: Run, known: frozenset[str] = frozenset(), token: Token | None = None) -> NowLine:
    """Return the now line of a run. It says only what the record and its reason say.

    Args:
        token: The token that the run waits for.
        known: The sections of the dashboard, so that no button leads to a page that does not exist.
    """
    match run.status:
        case RunStatus.WAITING if run.waits:
            return _waiting(run, run.waits[0], known, token)
        case RunStatus.EXECUTING if run.reason is None and run.attempts:
            attempt = run.attempts[-1]
            executing = Markup("Attempt {} executes on <b>{}</b>, for {}.")
            return NowLine(
                executing.format(attempt.number, short_node(attempt.node) or "a node", running_time(attempt.started_at))
            )
        case RunStatus.DELAYED if run.due_at is not None:
            return NowLine(Markup("Starts {}.{}").format(due_time(run.due_at), _more(run)))
        case RunStatus.REATTEMPTING if run.due_at is not None:
            return NowLine(Markup("The next attempt starts {}.{}").format(due_time(run.due_at), _more(run)))
        case RunStatus.COMPLETED:
            return NowLine(_completed(run))
        case RunStatus.QUEUED:
            address = url("queues", run.queue) if "queues" in known else ""
            text = _reason(run) or f"Queued in {run.queue}."
            return NowLine(Markup("{}").format(text), address, "Open queue" if address else "")
        case _:
            return NowLine(Markup("{}").format(_reason(run) or f"{WORDS[run.status]}."))


def _completed(run: Run) -> Markup:
    if run.finished_at is None:
        return Markup("Completed.")
    tries = counted(len(run.attempts), "attempt")
    return Markup("Completed {}, {} after its trigger, in {}.").format(
        age_time(run.finished_at), duration(run.finished_at - run.created_at), tries
    )


def _waiting(run: Run, wait: RunWait, known: frozenset[str], token: Token | None) -> NowLine:
    since = Markup(" since {}").format(running_time(wait.since)) if wait.since else Markup("")
    what: Markup | str
    address = button = ""
    until = wait.until
    match wait.kind:
        case "duration" | "retry":
            end = Markup(", which ends {}").format(due_time(wait.until)) if wait.until else Markup("")
            return NowLine(Markup("Waits for time{}{}. {}").format(since, end, _holds(run)))
        case "token":
            what = Markup("the token <b>{}</b>").format(name_of(token) or f"…{wait.name[-4:]}")
            until = token.timeout_at if token is not None else until
            address = url("runs", run.id, "token") if "tokens" in known else ""
            button = "Complete token" if address else ""
        case "task" if wait.run_ids:
            run_id = wait.run_ids[0]
            what = Markup('the run <a href="{}"><b>{}</b> {}</a>').format(
                url("runs", run_id), wait.name, short_id(run_id)
            )
        case "batch":
            what = f"{counted(wait.items, 'run')}, {wait.done:,} of them ended"
        case _:
            what = Markup("{} <b>{}</b>").format("the input" if wait.kind == "input" else "a run of", wait.name)
    ends = Markup(" It times out {}.").format(due_time(until)) if until else Markup("")
    others = f" {counted(len(run.waits) - 1, 'other wait')} besides." if len(run.waits) > 1 else ""
    text = Markup("Waits for {}{}. {}{}{}").format(what, since, _holds(run), ends, others)
    return NowLine(text, address, button, acts=wait.kind == "token")


def _holds(run: Run) -> str:
    is_unloaded = bool(run.attempts) and not run.attempts[-1].node
    return "It holds no slot and no process." if is_unloaded else "It holds no slot."


def _more(run: Run) -> str:
    text = _reason(run)
    return f" {text}" if text else ""


def _reason(run: Run) -> str:
    """Return the sentence of the run's reason, without the ids of tokens: who has one may complete it."""
    text = run.reason.text if run.reason is not None else ""
    for wait in run.waits:
        if wait.kind == "token" and wait.name:
            text = text.replace(wait.name, f"…{wait.name[-4:]}")
    return visible(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
