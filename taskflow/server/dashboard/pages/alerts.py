"""Alerts: the rules, a new one, and one with the alerts that it has sent in seven days."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from taskflow.definition.calls.users import Role
from taskflow.errors import DefinitionError, HistoryUnavailableError
from taskflow.seams.alerts import AlertChannel, AlertKind, AlertRule
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.view.durations import limit_words
from taskflow.server.dashboard.visit import Visit

NO_HISTORY: Final = "There is no history, which keeps rules. Don't set TASKFLOW_DATABASE_URL to none."
_KINDS: Final[Mapping[AlertKind, str]] = {
    AlertKind.RUN_FAILED: "Run failed",
    AlertKind.NEW_ERROR: "New error, or one that came back",
    AlertKind.QUEUE_OLDEST: "Oldest in queue over a limit",
    AlertKind.FAILED_SHARE: "Share failed over a limit",
    AlertKind.NO_NODE: "No node for a machine",
    AlertKind.SCHEDULE_LATE: "Schedule late",
}
_ANY: Final[Mapping[AlertKind, str]] = {
    AlertKind.QUEUE_OLDEST: "any queue",
    AlertKind.NO_NODE: "any machine",
    AlertKind.SCHEDULE_LATE: "any schedule",
}
_CHANNELS: Final = ((AlertChannel.WEBHOOK.value, "Webhook"), (AlertChannel.EMAIL.value, "E-mail"))
_FIELDS: Final = ("kind", "channel", "address", "names", "threshold")


async def show(visit: Visit) -> Response:
    """Show the rules, or the reason why there are none."""
    rules: list[dict[str, object]] = []
    problem = ""
    try:
        if await asyncio.to_thread(visit.engine.activity.has_database):
            counts = await asyncio.to_thread(visit.engine.alerts.counts)
            for rule in await asyncio.to_thread(visit.engine.alerts.list):
                count, last = counts.get(rule.id, (0, None))
                rules.append({"rule": rule, **words_of(rule), "count": count, "last": last})
        else:
            problem = NO_HISTORY
    except HistoryUnavailableError as error:
        problem = str(error)
    return visit.render("alerts.html", rules=rules, problem=problem)


async def show_one(visit: Visit) -> Response:
    """Show a rule with its alerts."""
    return await _page(visit, await _rule(visit))


async def new(visit: Visit) -> Response:
    """Show the form of a new rule."""
    return _form(visit, {"kind": AlertKind.NEW_ERROR.value}, {})


async def create(visit: Visit) -> Response:
    """Make a rule."""
    form = visit.form
    try:
        make = partial(
            visit.engine.alerts.create,
            form.get("kind", ""),
            form.get("channel", ""),
            form.get("address", ""),
            names=form.get("names", "").replace("\n", ",").split(","),
            threshold=_number(form.get("threshold", "").strip()),
            by=visit.user.name,
        )
        rule = await asyncio.to_thread(make)
    except DefinitionError as wrong:
        field = wrong.option if wrong.option in _FIELDS else ""
        return _form(visit, form, {field or "": str(wrong)})
    visit.audit("alert.create", rule.id)
    return visit.go("alerts", rule.id)


async def switch(visit: Visit) -> Response:
    """Switch a rule on or off."""
    rule, is_on = await _rule(visit), visit.form.get("on") == "1"
    await asyncio.to_thread(partial(visit.engine.alerts.switch, rule.id, is_on=is_on, by=visit.user.name))
    visit.audit("alert.on" if is_on else "alert.off", rule.id)
    return visit.go("alerts")


async def test(visit: Visit) -> Response:
    """Send a test, and show the answer that it got."""
    rule = await _rule(visit)
    answer = await asyncio.to_thread(visit.engine.alerts.test, rule)
    visit.audit("alert.test", rule.id)
    return await _page(visit, rule, answer)


async def drop(visit: Visit) -> Response:
    """Delete a rule with its alerts."""
    rule = await _rule(visit)
    await asyncio.to_thread(visit.engine.alerts.drop, rule.id)
    visit.audit("alert.delete", rule.id)
    return visit.go("alerts")


def words_of(rule: AlertRule) -> dict[str, str]:
    """Return what a rule waits for, of what, and where it sends to, as people read them."""
    when = _KINDS[rule.kind]
    if rule.kind is AlertKind.QUEUE_OLDEST:
        when = f"Oldest in queue over {limit_words(rule.threshold)}"
    elif rule.kind is AlertKind.FAILED_SHARE:
        when = f"Share failed over {rule.threshold:g}\u00a0%"
    elif rule.kind is AlertKind.SCHEDULE_LATE:
        when = f"Schedules late by {limit_words(rule.threshold)}"
    return {"when": when, "which": ", ".join(rule.names) or _ANY.get(rule.kind, "any task"), "to": _receiver(rule)}


def _receiver(rule: AlertRule) -> str:
    """Return the receiver without the rest of a URL, which is often a secret."""
    if rule.channel is AlertChannel.EMAIL:
        return rule.address
    url = urlsplit(rule.address)
    return f"{url.hostname}{url.path[:8]}…" if len(url.path) > 1 else str(url.hostname)


async def _rule(visit: Visit) -> AlertRule:
    rule = await asyncio.to_thread(visit.engine.alerts.find, visit.path["rule_id"])
    if rule is None:
        raise PageProblem(404, "There is no such alert", "It was deleted, or the address is wrong.", "Choose another.")
    return rule


async def _page(visit: Visit, rule: AlertRule, answer: object = None) -> Response:
    alerts = await asyncio.to_thread(visit.engine.alerts.alerts, rule.id)
    return visit.render("alert.html", 200, rule=rule, words=words_of(rule), alerts=alerts, answer=answer)


def _form(visit: Visit, values: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    kinds = [(kind.value, words) for kind, words in _KINDS.items()]
    status = 422 if errors else 200
    return visit.render("alert_new.html", status, values=values, errors=errors, kinds=kinds, channels=_CHANNELS)


def _number(text: str) -> float | None:
    """Return the number of a field, None for an empty one."""
    try:
        return float(text) if text else None
    except ValueError:
        raise DefinitionError(
            "That is no number", option="threshold", value=text[:100], remedy="Write for example 30 or 2.5."
        ) from None


PAGES: Final = (
    Page("alerts", show),
    action("alerts", create, Role.ADMIN),
    Page("alerts/new", new, Role.ADMIN),
    Page("alerts/{rule_id}", show_one),
    action("alerts/{rule_id}/switch", switch, Role.ADMIN),
    action("alerts/{rule_id}/test", test, Role.ADMIN),
    action("alerts/{rule_id}/delete", drop, Role.ADMIN),
)
