"""Lines of one Celery task: its declaration as code to write, and a line for each option that needs a decision."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from taskflow.cli.adopting.lines import Line

_ID: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_LEFT_OUT: Final = {
    "acks_late": "a run survives the death of its worker in any case",
    "reject_on_worker_lost": "a run survives the death of its worker in any case",
    "ignore_result": "the output is kept with the run, and costs nothing when nobody reads it",
    "store_errors_even_if_ignored": "errors are always kept",
    "track_started": "a run that executes is EXECUTING",
    "compression": "large payloads go to the object store",
    "resultrepr_maxsize": "outputs are shown in full",
}
_EXPECTED: Final = "left out: it chooses the level of a log line, and says nothing of retries"
_HOOKS: Final = {
    "before_start": "on_start_attempt",
    "on_success": "on_success",
    "on_failure": "on_failure",
    "on_retry": "on_error",
    "after_return": "cleanup",
    "__call__": "middleware",
}
_UNLIMITED: Final = 1_000_000


def lines_of_task(task: dict[str, Any], routes: Sequence[dict[str, Any]]) -> Iterator[Line]:
    """Return the lines of a task: its declaration first."""
    place = f"{task['file']}:{task['line']}" if task["file"] else ""
    own = _Task(task, place)
    yield own.declaration(str(task["options"].get("queue") or queue_of(task["name"], routes)))
    yield from own.parameters()
    yield from own.retries()
    yield from own.options()
    yield from own.base()


class _Task:
    def __init__(self, facts: dict[str, Any], place: str) -> None:
        self._facts, self._place = facts, place
        self._options: dict[str, Any] = facts["options"]
        self._name: str = facts["name"]
        self._errors: dict[str, list[str]] = facts["errors"]

    def declaration(self, queue: str) -> Line:
        """Return the line with the code of the declaration."""
        given = [f"id={self._name!r}", self._retry()]
        if limits := [self._options[name] for name in ("soft_time_limit", "time_limit") if self._options.get(name)]:
            given.append(f"max_duration={_number(min(limits))}")
        if self._options.get("rate_limit"):
            rate = str(self._options["rate_limit"])
            rate = rate if "/" in rate else f"{rate}/s"
            given.append(f"queue=Queue({queue or self._name.rpartition('.')[2]!r}, rate_limit={rate!r})")
        elif queue:
            given.append(f"queue={queue!r}")
        if isinstance(self._options.get("expires"), int | float):
            given.append(f"ttl={_number(self._options['expires'])}")
        kind = "async def" if self._facts["is_async"] else "def"
        texts = _texts(self._facts["parameters"])
        if self._facts["is_bound"]:
            context = "ctx: Context"
            texts = [*texts, context] if self._takes_payload() else [context, *texts]
        code = f"@task({', '.join(given)})\n{kind} {self._facts['function']}({', '.join(texts)}): ..."
        is_possible = _ID.fullmatch(self._name) is not None
        to_do = "" if is_possible else "An id has 1 to 128 of A-Z a-z 0-9 _ . : / -: choose one, and send to it."
        return self._line("task", "a Celery task", code, to_do)

    def parameters(self) -> Iterator[Line]:
        """Return a line for each parameter that cannot stay as it is, and for those without a type."""
        own: list[dict[str, Any]] = self._facts["parameters"]
        for each in own:
            if each["kind"].startswith("VAR_"):
                to_do = "Write the parameters out, or take one that is a list or a dict."
                yield self._line("parameter", each["text"], "", to_do)
            elif each["name"] in ("ctx", "init", "signal"):
                to_do = f"{each['name']} has a meaning of its own here: give the parameter another name."
                yield self._line("parameter", each["text"], "", to_do)
        positional = [each for each in own if each["kind"] != "KEYWORD_ONLY"]
        keywords = [each for each in own if each["kind"] == "KEYWORD_ONLY"]
        are_optional = all(each["has_default"] for each in keywords)
        is_payload = len(positional) <= 1 and are_optional and not any(each["has_default"] for each in positional)
        if keywords and (not positional if self._facts["is_bound"] else is_payload):
            yield self._line("parameter", f"*, {keywords[0]['text']}", "", "Write it without the *.")
        untyped = [each["name"] for each in own if not each["is_annotated"]]
        if untyped:
            yield self._line("parameter", ", ".join(untyped), "any JSON; annotate them, and arguments are validated")

    def retries(self) -> Iterator[Line]:
        """Return lines for what a ``Retry`` does not say."""
        function = self._facts["function"]
        names = self._errors["autoretry_for"]
        if self._retries() and names not in (["Exception"], ["BaseException"]):
            caught = [name.rpartition(".")[2] for name in names]
            kept = [*caught, "RetryAfter"] if self._facts["calls_retry"] else caught
            code = (
                f"@{function}.catch_error\ndef only_these(error): "
                f"return None if isinstance(error, ({', '.join(kept)},)) else Caught(skip_retry=True)"
            )
            what = f"autoretry_for=({', '.join(caught)})" if caught else "retries by self.retry alone"
            yield self._line("option", what, code)
        if names := self._errors["dont_autoretry_for"]:
            shown = ", ".join(name.rpartition(".")[2] for name in names)
            code = (
                f"@{function}.catch_error\ndef not_these(error): "
                f"return Caught(skip_retry=True) if isinstance(error, ({shown},)) else None"
            )
            yield self._line("option", f"dont_autoretry_for=({shown})", code)
        if names := self._errors["throws"]:
            yield self._line("option", f"throws=({', '.join(name.rpartition('.')[2] for name in names)})", _EXPECTED)
        if self._retries() and self._options.get("max_retries", 3) is None:
            yield self._line(
                "option", "max_retries=None", f"max_attempts={_UNLIMITED:_}", "Choose a number of attempts."
            )

    def options(self) -> Iterator[Line]:
        """Return a line for each option that is left out or needs a decision."""
        for name, why in _LEFT_OUT.items():
            if self._options.get(name):
                yield self._line("option", f"{name}={self._options[name]!r}", f"left out: {why}")
        if self._options.get("soft_time_limit") or self._options.get("time_limit"):
            what = "soft_time_limit, time_limit"
            becomes = "max_duration: the run is TIMED_OUT and not tried again; ctx.signal says so before the kill"
            yield self._line("option", what, becomes)
        if self._options.get("rate_limit"):
            to_do = "Celery's limit holds for each worker, this one for the whole fleet: multiply it by the workers."
            yield self._line("option", f"rate_limit={self._options['rate_limit']!r}", "Queue(rate_limit=...)", to_do)
        serializer = self._options.get("serializer")
        if serializer not in (None, "json"):
            to_do = "Payloads are JSON. Send what JSON can carry, and annotate the parameters with its types."
            yield self._line("option", f"serializer={serializer!r}", "", to_do)
        if self._options.get("priority") is not None:
            to_do = "Give a priority in seconds of precedence when you trigger: priority=60."
            yield self._line("option", f"priority={self._options['priority']!r}", "", to_do)
        for name in ("queue", "routing_key"):
            if self._options.get(name):
                yield self._line("option", f"{name}={self._options[name]!r}", f"queue={self._options[name]!r}")

    def base(self) -> Iterator[Line]:
        """Return a line for each method of the task's base class."""
        for method in self._facts["methods"]:
            what, hook = f"{self._facts['base'] or 'base class'}.{method}", _HOOKS.get(method)
            if hook:
                yield self._line("option", what, f"@task({hook}=...), or @tasks.{hook} for all tasks")
            else:
                yield self._line(
                    "option", what, "", "Nothing calls it for a run: move its code into the task or a hook."
                )
        if members := self._facts["members"]:
            to_do = "A task is no object here: keep what it holds in a Local that a middleware sets; call functions."
            yield self._line("option", f"{self._facts['base'] or 'base class'}: {', '.join(members)}", "", to_do)

    def _takes_payload(self) -> bool:
        own = self._facts["parameters"]
        return len(own) == 1 and not own[0]["has_default"] and own[0]["kind"] != "KEYWORD_ONLY"

    def _retries(self) -> bool:
        return bool(self._errors["autoretry_for"] or self._facts["calls_retry"])

    def _retry(self) -> str:
        if not self._retries():
            return "retry=Retry(max_attempts=1)"
        most = self._options.get("max_retries", 3)
        given = [f"max_attempts={_UNLIMITED:_}" if most is None else f"max_attempts={int(most) + 1}"]
        backoff = self._options.get("retry_backoff")
        if backoff:
            given += [f"min_delay={_number(1 if backoff is True else backoff)}", "factor=2"]
            given.append(f"max_delay={_number(self._options.get('retry_backoff_max', 600))}")
            given += ["randomize=False"] if self._options.get("retry_jitter") is False else []
        else:
            delay = _number(self._options.get("default_retry_delay", 180))
            given += [f"min_delay={delay}", f"max_delay={delay}", "factor=1", "randomize=False"]
        return f"retry=Retry({', '.join(given)})"

    def _line(self, kind: Any, what: str, becomes: str, to_do: str = "") -> Line:
        return Line(kind, self._name, what, becomes, to_do, self._place)


def _texts(parameters: Sequence[dict[str, Any]]) -> list[str]:
    """Return parameters as in the source, with the marks between their kinds."""
    texts: list[str] = []
    kind = ""
    for each in parameters:
        if kind == "POSITIONAL_ONLY" != each["kind"]:
            texts.append("/")
        if each["kind"] == "KEYWORD_ONLY" and kind not in ("KEYWORD_ONLY", "VAR_POSITIONAL"):
            texts.append("*")
        texts.append(each["text"])
        kind = each["kind"]
    return [*texts, "/"] if kind == "POSITIONAL_ONLY" else texts


def queue_of(name: str, routes: Sequence[dict[str, Any]]) -> str:
    """Return the queue to which a task is routed, "" for none."""
    route = route_of(name, routes)
    return str(route["options"].get("queue") or "") if route else ""


def route_of(name: str, routes: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the route of a task: of the first router that has one, and there a name goes before patterns."""
    named = [route for route in routes if not route["is_function"] and _matches(name, route)]
    first = [route for route in named if route["router"] == named[0]["router"]]
    return min(first, key=lambda route: route["kind"] != "name", default=None)


def _matches(name: str, route: dict[str, Any]) -> bool:
    if route["kind"] == "name":
        return bool(route["pattern"] == name)
    if route["kind"] == "regex":
        return re.match(route["pattern"], name) is not None
    return fnmatch.fnmatchcase(name, route["pattern"])


def _number(seconds: float) -> str:
    return str(int(seconds)) if float(seconds).is_integer() else str(seconds)
