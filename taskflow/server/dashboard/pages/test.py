"""The page of tests: a payload by form or as JSON, options, and a run of a task by hand."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic_core import from_json
from starlette.responses import JSONResponse, Response

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.users import Role
from taskflow.errors import PayloadError, RunNotFoundError, TaskflowError, TriggerOptionError
from taskflow.models import Run
from taskflow.objects.large_values import is_resolved
from taskflow.server.dashboard.hidden_runs import secrets_of
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.payloads.beginnings import example_of
from taskflow.server.dashboard.payloads.checks import Fault, Target, target_of
from taskflow.server.dashboard.payloads.copies import curl_of, python_of
from taskflow.server.dashboard.payloads.documents import DocumentError, parse, write
from taskflow.server.dashboard.payloads.hidden import UNKNOWN, covered, covered_text, has_mark, restored
from taskflow.server.dashboard.payloads.options import FIRST, options_of, texts_of, trigger_options
from taskflow.server.dashboard.payloads.schemas import with_digits
from taskflow.server.dashboard.payloads.templates import drop_template, keep_template, template_of, templates_of
from taskflow.server.dashboard.payloads.workbench import Workbench, bench_of, label_of, workbench
from taskflow.server.dashboard.rendering import render_block
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.visit import Visit
from taskflow.server.task_shapes import task_shapes

_RECENT: Final = 10
_PARTS: Final = ("fields", "painted", "note", "verdict", "copies", "changed")


async def choose(visit: Visit) -> Response:
    """Show the tasks that can be tried, or lead to the one that was chosen."""
    if task_id := visit.query.get("task"):
        return visit.go("test", task_id)
    shapes = await task_shapes(visit.flow)
    return visit.render("test_tasks.html", tasks=sorted(shapes.items()))


async def show(visit: Visit) -> Response:
    """Show a task with an example of its payload, or with that of a run or a template.

    An example is not checked before it is changed or sent: nobody has made its faults.
    """
    target = await target_of(visit.flow, visit.path["task_id"])
    begin = visit.query.get("from", "")
    run = await _run(visit, begin) if begin.startswith("run_") else None
    given = {"test": "1"}
    text = example_of(target, is_whole="example" in visit.query)
    hiding = READER.get().hiding
    if run is not None:
        secrets, original = await secrets_of(visit.engine, run), with_digits(run.payload)
        text = write(covered(hiding, original))
        given |= {name: secrets.scrub(value) for name, value in texts_of(run).items()}
    elif saved := await template_of(visit.engine, target.task_id, begin.removeprefix("template:")):
        original = _parsed(saved[0])
        text, given = covered_text(hiding, saved[0]), saved[1] | _covered_metadata(saved[1])
    else:
        bench = await asyncio.to_thread(bench_of, target.schema, text, ())
        return await _page(visit, target, bench, given, run=run, begin=begin)
    bench = await workbench(target, text, original=original)
    return await _page(visit, target, bench, given, run=run, begin=begin)


async def check(visit: Visit) -> Response:
    """Answer with the parts of the page that follow from a payload and the edits of its form. Nothing is written."""
    target = await target_of(visit.flow, visit.path["task_id"])
    original, metadata = await original_of(visit)
    bench = await workbench(target, visit.form.get("payload", ""), visit.form.get("edits", ""), original)
    fault = _option_fault(_whole(visit.form, metadata))
    values = _values(visit, target, bench, visit.form, fault)
    parts = {name: render_block("test.html", name, values) for name in _PARTS}
    faults = len(bench.faults) + bool(fault[0])
    return JSONResponse({"text": bench.text, "lines": bench.lines, "faults": faults, "parts": parts})


async def trigger(visit: Visit) -> Response:
    """Make a run, or show the faults of the payload and of the options. A payload with faults makes none."""
    target = await target_of(visit.flow, visit.path["task_id"])
    text = visit.form.get("payload", "").strip() or "null"
    original, metadata = await original_of(visit)
    bench = await workbench(target, text, visit.form.get("edits", ""), original)
    form = _whole(visit.form, metadata)
    fault = _option_fault(form)
    if bench.faults or fault[0]:
        return await _page(visit, target, bench, visit.form, status=422, fault=fault)
    options, begin = trigger_options(form), visit.form.get("begin", "")
    origin = begin if begin.startswith("run_") and await _run(visit, begin) is not None else None
    try:
        payload: object = from_json(bench.sent or bench.text, allow_inf_nan=False)
        made = await visit.engine.runs.atrigger(target.task_id, payload, options, replay_of=origin)
    except PayloadError as refused:
        faulty = bench_of(target.schema, bench.text, [Fault((), str(refused))])
        return await _page(visit, target, faulty, visit.form, status=422)
    visit.audit("run.trigger", made.run_id)
    return visit.go("runs", made.run_id)


async def faulty_page(visit: Visit, target: Target, bench: Workbench) -> Response:
    """Show a payload with its faults. Nothing was made."""
    return await _page(visit, target, bench, visit.form, status=422)


async def save(visit: Visit) -> Response:
    """Keep the payload and the options under a name, or delete what has the name."""
    task_id = visit.path["task_id"]
    if gone := visit.form.get("drop"):
        await drop_template(visit.engine, task_id, gone)
        visit.audit("template.delete", f"{task_id} {gone}")
        return visit.go("test", task_id)
    target = await target_of(visit.flow, task_id)
    original, metadata = await original_of(visit)
    bench = await workbench(target, visit.form.get("payload", ""), visit.form.get("edits", ""), original)
    form = _whole(visit.form, metadata)
    name = await keep_template(visit.engine, task_id, form, bench.sent or bench.text, visit.user.name)
    visit.audit("template.save", f"{task_id} {name}")
    return visit.go("test", task_id, **{"from": f"template:{name}"})


async def _run(visit: Visit, run_id: str) -> Run | None:
    try:
        return await visit.engine.runs.aretrieve(run_id)
    except RunNotFoundError:
        return None


async def original_of(visit: Visit) -> tuple[object, object]:
    """Return payload and metadata of what the test began with, for the marks of hidden values; None for neither."""
    begin = visit.form.get("begin", "")
    if not READER.get().hiding or not begin:
        return None, None
    if begin.startswith("run_"):
        run = await _run(visit, begin)
        return (with_digits(run.payload), dict(run.metadata)) if run is not None else (None, None)
    saved = await template_of(visit.engine, visit.path["task_id"], begin.removeprefix("template:"))
    return (_parsed(saved[0]), _parsed(saved[1].get("option_metadata", ""))) if saved else (None, None)


def _parsed(text: str) -> object:
    try:
        return parse(text)
    except DocumentError:
        return None


def _whole(form: Mapping[str, str], original: object) -> dict[str, str]:
    """Return the fields with the values of the marks in the metadata. A mark without a value stays, and is refused."""
    text = form.get("option_metadata", "")
    given = restored(READER.get().hiding, text, original)
    return {**form, "option_metadata": text if given.faults else given.text} if text else dict(form)


def _covered_metadata(given: Mapping[str, str]) -> dict[str, str]:
    text = given.get("option_metadata", "")
    return {"option_metadata": covered_text(READER.get().hiding, text)} if text else {}


async def _page(
    visit: Visit,
    target: Target,
    bench: Workbench,
    given: Mapping[str, str],
    *,
    status: int = 200,
    fault: tuple[str, str] = ("", ""),
    run: Run | None = None,
    begin: str = "",
) -> Response:
    recent, saved, tasks = await asyncio.gather(
        _recent(visit, target.task_id), templates_of(visit.engine, target.task_id), task_shapes(visit.flow)
    )
    return visit.render(
        "test.html",
        status,
        **_values(visit, target, bench, given, fault),
        tasks=sorted({*tasks, target.task_id}),
        recent=recent,
        templates=saved,
        run=run,
        begin=begin or given.get("begin", ""),
        view="json" if visit.query.get("view") == "json" else "form",
    )


def _values(
    visit: Visit, target: Target, bench: Workbench, given: Mapping[str, str], fault: tuple[str, str]
) -> dict[str, object]:
    options = options_of(given, target.definition, fault)
    base = str(visit.flow.settings.public_url or str(visit.request.base_url)).rstrip("/")
    return {
        "target": target,
        "bench": bench,
        "options": {each.name: each for each in options},
        "first": FIRST,
        "is_test": given.get("test") == "1",
        "fault": fault,
        "python": python_of(target.task_id, bench.text, given),
        "curl": curl_of(base, target.task_id, bench.text, given),
        "visit": visit,
    }


async def _recent(visit: Visit, task_id: str) -> Sequence[tuple[Run, str]]:
    """Return the newest runs of a task with the beginnings of their payloads; none while they can't be read."""
    try:
        page = await visit.engine.runs.alist(_RECENT, RunFilter(task=task_id))
        whole = await visit.engine.feed().records.read_many([run.id for run in page.runs])
    except TaskflowError:
        return ()
    newest = sorted(whole, key=lambda run: run.created_at, reverse=True)
    return [(run, label_of(run.payload) if is_resolved(run) else "A large payload") for run in newest]


def _option_fault(given: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of an option that is not possible with why, two empty texts if all are."""
    if READER.get().hiding and has_mark(given.get("option_metadata", "")):
        return "metadata", UNKNOWN
    try:
        trigger_options(given)
    except TriggerOptionError as refused:
        return refused.option, refused.remedy
    except TaskflowError as refused:
        return "queue", str(refused)
    return "", ""


PAGES: Final = (
    Page("test", choose),
    Page("test/{task_id:path}", show),
    action("test/{task_id:path}", trigger),
    action("templates/{task_id:path}", save),
    Page("checks/{task_id:path}", check, Role.VIEWER, "POST"),
)
