"""Say why a run does not start, does not go on, or has not completed. Pure: the facts are read by ``explain_run``."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic_core import from_json

from taskflow.definition.calls.tokens import Token, TokenStatus
from taskflow.engine.reasons.facts import Facts, clock
from taskflow.engine.reasons.queued import queued
from taskflow.models import AttemptOutcome, Reason, ReasonCode, Run, RunStatus, RunWait
from taskflow.store.operations.explanation import Explained
from taskflow.suggestions import near_miss

_NAMED: Final = 3
"""Most waits, tasks or versions that a sentence names."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """The lease of a node, and how often the node renews it."""

    lease: timedelta
    heartbeat: timedelta


def reason_of(explained: Explained, heartbeats: Heartbeats, token: Token | None = None) -> Reason | None:
    """Return why a run of the store does not start, does not go on, or has not completed.

    Args:
        token: The token that the run waits for, if it waits for one.
    """
    run, facts = explained.run, Facts(explained.facts)
    match run.status:
        case RunStatus.PENDING_VERSION:
            return _unregistered(explained, facts)
        case RunStatus.DELAYED:
            return _delayed(explained, facts)
        case RunStatus.REATTEMPTING:
            return _retried(run, facts)
        case RunStatus.QUEUED:
            return queued(explained, facts)
        case RunStatus.WAITING:
            return _waiting(run, facts, token)
        case RunStatus.EXECUTING:
            return _executing(explained, facts, heartbeats)
        case _:
            return reason_of_end(run)


def reason_of_end(run: Run) -> Reason | None:
    """Return why a run that has ended has not completed, None for one that has, or that the history has as alive."""
    last = _first_line(run)
    details: dict[str, object] = {"error": run.error.type if run.error else None, "attempts": len(run.attempts)}
    match run.status:
        case RunStatus.EXPIRED:
            return Reason(ReasonCode.EXPIRED, f"It expired before it started: {last}", details)
        case RunStatus.CANCELED:
            return _canceled(run)
        case RunStatus.TIMED_OUT:
            return Reason(ReasonCode.TIMED_OUT, f"It took too long: {last}", details | {"limit": run.max_duration})
        case RunStatus.CRASHED:
            return Reason(ReasonCode.CRASHED, f"It ran out of memory on {run.machine}: {last}", details)
        case RunStatus.SYSTEM_FAILURE:
            lost = sum(attempt.outcome is AttemptOutcome.LOST for attempt in run.attempts)
            text = f"Its code was lost {lost} times, and TASKFLOW_MAX_LOST allows no more in that time. Last: {last}"
            return Reason(ReasonCode.SYSTEM_FAILURE, text, details | {"lost": lost})
        case RunStatus.FAILED:
            failed = sum(attempt.outcome is AttemptOutcome.FAILED for attempt in run.attempts)
            tries = (
                f"after {failed} of {run.max_attempts} attempts" if failed < run.max_attempts else "at its last attempt"
            )
            return Reason(ReasonCode.FAILED, f"It failed {tries}: {last}", details | {"failed": failed})
        case _:
            return None


def _canceled(run: Run) -> Reason:
    what = _first_line(run).removeprefix("Canceled: ")
    with_parent = run.canceled_by is None and run.parent_id is not None and "parent" in what
    by = f"run {run.parent_id}" if with_parent else run.canceled_by
    text = f"{what.rstrip('.')}{f', {by}' if by else ''}."
    return Reason(ReasonCode.CANCELED, text, {"by": by})


def _unregistered(explained: Explained, facts: Facts) -> Reason:
    kind, _, name = explained.fields.get("awaiting", b"task:?").decode().partition(":")
    if kind == "code":
        misfit: dict[str, object] = from_json(explained.fields["misfit"])
        text = str(misfit.pop("text"))
        return Reason(ReasonCode.OTHER_VERSION, text, misfit | {"versions": facts.words("versions")})
    is_task = kind == "task"
    if is_task and "fault" in facts.texts:
        node, fault = facts.texts["fault_node"], facts.texts["fault"]
        text = f"Worker {node} declares task {name!r} and cannot serve it: {fault} Mend it, and start the worker again."
        return Reason(ReasonCode.UNKNOWN_TASK, text, {"task": name, "node": node, "fault": fault})
    known = facts.words("tasks" if is_task else "queues")
    near = near_miss(name, (each for each in known if each != name))
    versions = [version or "no version" for version in facts.words("versions")] if "versions" in facts.texts else []
    up = f"the workers that are up are of {_listed('version', versions)}" if versions else "no worker is up"
    hint = f" Did you mean {near!r}?" if near else f" Start a worker whose code declares the {kind}."
    until = facts.instant("patience")
    ends = f" It expires at {clock(until)}." if until else ""
    details: dict[str, object] = {kind: name, "near": near, "versions": versions, "expires_at": until}
    code = ReasonCode.UNKNOWN_TASK if is_task else ReasonCode.UNKNOWN_QUEUE
    return Reason(code, f"No worker has registered {kind} {name!r}; {up}.{hint}{ends}", details)


def _delayed(explained: Explained, facts: Facts) -> Reason:
    due = explained.run.due_at
    details: dict[str, object] = {"due_at": due}
    when = f"until {clock(due)}{facts.ahead(due)}"
    if "debounce" in explained.fields:
        text = f"It is debounced {when}: each trigger with its debounce key puts it off."
        return Reason(ReasonCode.DEBOUNCED, text, details)
    return Reason(ReasonCode.DELAYED, f"It is delayed {when}.", details)


def _retried(run: Run, facts: Facts) -> Reason:
    last = run.attempts[-1] if run.attempts else None
    number = last.number if last else 0
    error = f"{last.error.type}: {first_line(last.error.message)}" if last and last.error else "it failed"
    next_one = f"The next one starts at {clock(run.due_at)}{facts.ahead(run.due_at)}"
    details: dict[str, object] = {"attempt": number, "due_at": run.due_at, "error": error}
    if last and last.outcome is AttemptOutcome.LOST:
        text = f"Attempt {number} was lost, not for the first time ({error}). {next_one}, after a pause that grows."
        return Reason(ReasonCode.RETRY, text, details)
    text = f"Attempt {number} failed with {error.rstrip('.')}. {next_one}; {run.max_attempts} attempts may fail in all."
    return Reason(ReasonCode.RETRY, text, details | {"max_attempts": run.max_attempts})


def _executing(explained: Explained, facts: Facts, heartbeats: Heartbeats) -> Reason | None:
    run, node = explained.run, explained.fields.get("node", b"").decode()
    if "settled" in explained.fields:
        status = explained.fields["settled"].decode()
        return Reason(ReasonCode.FINAL_HOOKS, f"It will be {status}: its final hooks execute.", {"status": status})
    end, now = facts.instant("lease_end"), facts.now
    late = heartbeats.lease - (end - now) if end and now else timedelta(0)
    if late <= 2 * heartbeats.heartbeat:
        return None
    attempt = run.attempts[-1].number if run.attempts else None
    is_over = end is None or now is None or end <= now
    silent = "has no lease any more" if is_over else f"was heard last {late.total_seconds():.0f} s ago"
    text = f"Node {node}, which executes it, {silent}. The run starts again elsewhere once its lease has ended."
    details = {
        "node": node,
        "attempt": attempt,
        "lease_end": None if is_over else end,
        "late_seconds": late.total_seconds(),
    }
    return Reason(ReasonCode.LATE_HEARTBEAT, text, details)


def _waiting(run: Run, facts: Facts, token: Token | None) -> Reason | None:
    first, *others = run.waits or (None,)
    if first is None:
        return None
    if others:
        shown = [_awaited(wait, facts, None)[1] for wait in run.waits[:_NAMED]]
        more = f", and {len(run.waits) - _NAMED} more" if len(run.waits) > _NAMED else ""
        details: dict[str, object] = {"waits": [_awaited(wait, facts, None)[2] for wait in run.waits]}
        text = f"It waits for the first of {len(run.waits)}: {'; '.join(shown)}{more}."
        return Reason(ReasonCode.WAITS_FOR_SEVERAL, text, details)
    code, text, details = _awaited(first, facts, token)
    return Reason(code, f"It waits {text}.", details)


def _awaited(wait: RunWait, facts: Facts, token: Token | None) -> tuple[ReasonCode, str, dict[str, object]]:
    since = f", since {clock(wait.since)}" if wait.since else ""
    until = token.timeout_at if token else wait.until
    ends = f", until {clock(until)}{facts.ahead(until)} at most" if until else ""
    details: dict[str, object] = {"since": wait.since, "until": until}
    match wait.kind:
        case "token":
            done = "" if token is None or token.status is TokenStatus.WAITING else f" (which is {token.status})"
            hint = "" if done else f". Complete it: taskflow tokens complete {wait.name} JSON"
            unlimited = ", without a timeout" if token else ""
            text = f"for token {wait.name}{done}{since}{ends or unlimited}{hint}"
            return ReasonCode.WAITS_FOR_TOKEN, text, details | {"token": wait.name}
        case "input":
            text = f"for an item of its input stream {wait.name!r}{since}{ends}"
            return ReasonCode.WAITS_FOR_INPUT, text, details | {"stream": wait.name}
        case "task":
            which = wait.run_ids[0] if wait.run_ids else "a run"
            details |= {"task": wait.name, "run_ids": wait.run_ids}
            return ReasonCode.WAITS_FOR_RUN, f"for {which} of task {wait.name!r}{since}", details
        case "batch":
            of = f" of task {wait.name!r}" if wait.name else ""
            details |= {"done": wait.done, "items": wait.items, "run_ids": wait.run_ids}
            return (
                ReasonCode.WAITS_FOR_BATCH,
                f"for a batch{of}: {wait.done} of {wait.items} runs have ended{since}",
                details,
            )
        case _:
            return ReasonCode.WAITS_FOR_TIME, f"until {clock(until)}{facts.ahead(until)}{since}", details


def _first_line(run: Run) -> str:
    return f"{run.error.type}: {first_line(run.error.message)}" if run.error else "no error was recorded."


def first_line(text: str) -> str:
    """Return the first line of a text, cut to 200 characters."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 200 else f"{line[:200]}..."


def _listed(noun: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names[:_NAMED])}{more}"
