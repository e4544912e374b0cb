"""Tasks that set metadata and tags and write log lines, and tasks that retry a block."""

import asyncio
import faulthandler
import logging
import logging.config
import os
import signal
import subprocess
import sys
import threading
from typing import Any, TextIO, cast

from celery.utils.log import get_task_logger

from taskflow import Context, Retry, RunHandle, logger, metadata, retry, tags, task
from tests.projects.fleet_tasks import FAST, write

STANDARD = logging.getLogger("shop.orders")


@task(id="r-tell", retry=FAST)
def tell(payload: int, ctx: Context) -> dict[str, object]:
    """Use every reporting verb, from two threads, and fail once."""
    metadata.set("attempt", ctx.attempt.number).increment("tries").append("log", ctx.attempt.number)
    metadata.set("$.progress.done", 0.1 + 0.2).decrement("$.progress.left", payload)
    tags.add("told", f"attempt/{ctx.attempt.number}")
    logger.info("hello", payload=payload)
    logger.debug("only kept")
    STANDARD.warning("from %s", "logging")
    print("printed")
    get_task_logger("shop.celery").error("by Celery's")
    thread = threading.Thread(target=lambda: STANDARD.error("from a thread"))
    thread.start()
    thread.join()
    with logger.span("told", payload=payload):
        pass
    if ctx.attempt.number == 1:
        raise ConnectionError("once")
    return metadata.current()


@task(id="r-atell", retry=FAST)
async def atell(payload: int, ctx: Context) -> object:
    """Use them in a coroutine. After a flush, metadata that is read back has the changes of other processes."""
    metadata.set("who", payload)
    tags.add(f"n{payload}")
    logger.info("hello", who=payload)
    await asyncio.sleep(0)
    STANDARD.warning("still %d", payload)
    await metadata.aflush()
    return metadata.get("who")


@task(id="r-child", retry=FAST)
def child(payload: int) -> None:
    """Increment counters of the parent and of the root."""
    for _ in range(10):
        metadata.parent.increment("done")
    metadata.parent.append("who", payload)
    metadata.root.increment("all", 0.5)


@task(id="r-achild", retry=FAST)
async def achild(payload: int) -> None:
    """Increment counters of the parent, as a coroutine."""
    metadata.parent.increment("done", payload)


@task(id="r-parent", retry=FAST)
def parent(payload: int) -> object:
    """Trigger children of both kinds, wait for them, and return their counts."""
    metadata.set("mine", True)
    handles: list[RunHandle[None]] = [child.trigger(number) for number in range(payload)]
    handles += [achild.trigger(number) for number in range(payload)]
    for handle in handles:
        handle.result(timeout=20)
    metadata.increment("done", 0).flush()
    return metadata.get("done")


@task(id="r-crash", retry=FAST)
def crash(payload: int, ctx: Context) -> int:
    """Log a line, then kill the process. The second attempt returns."""
    for number in range(payload):
        logger.info("line", number=number, attempt=ctx.attempt.number)
    if ctx.attempt.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.attempt.number


@task(id="r-acrash", retry=FAST)
async def acrash(payload: int, ctx: Context) -> int:
    """Do the same in a coroutine: the whole node dies."""
    for number in range(payload):
        logger.info("line", number=number, attempt=ctx.attempt.number)
    if ctx.attempt.number == 1:
        write("dies", ctx.run.id)
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.attempt.number


PATIENT = Retry(max_attempts=5, min_delay=60, max_delay=60)


@task(id="r-again", retry=FAST)
def again(payload: None, ctx: Context) -> None:
    """Retry a block with delays of a minute, and write to the ledger when the code leaves a delay."""

    def block(attempt: int) -> None:
        write("tries", ctx.run.id, attempt)
        raise ConnectionError

    try:
        retry.on_error(block, PATIENT)
    finally:
        write("left", ctx.run.id)


@task(id="r-aagain", retry=FAST)
async def aagain(payload: None, ctx: Context) -> None:
    """Do the same as a coroutine."""

    @retry.on_error(PATIENT)
    async def block() -> None:
        write("tries", ctx.run.id, 1)
        raise ConnectionError

    try:
        await block()
    finally:
        write("left", ctx.run.id)


def _stream_facts(stream: TextIO) -> list[object]:
    facts: list[object] = [stream.encoding, bool(stream.errors), stream.writable(), stream.isatty(), stream.closed]
    return [*facts, stream.write("written\n"), stream.buffer.write(b"bytes\n"), stream.fileno() > 0]


@task(id="r-streams", retry=FAST)
def streams(payload: int) -> list[list[object]]:
    """Use the standard streams as programs, progress bars and libraries do."""
    facts = [_stream_facts(stream) for stream in (sys.stdout, sys.stderr)]
    print("took", payload, end=" ")
    print("seconds")
    print("one\ntwo\n\n")
    for done in range(3):
        print(f"\r{done}/2", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    subprocess.run([sys.executable, "-c", "print('by a program')"], check=True)
    print("between")
    subprocess.run("echo to stderr >&2", shell=True, stdout=sys.stdout, stderr=sys.stderr, check=True)
    print("between")
    subprocess.run(["echo", "to stdout"], stdout=sys.stdout, stderr=sys.stderr, check=True)
    os.write(1, b"to a descriptor")
    faulthandler.enable()
    faulthandler.disable()
    print("no line break", end="")
    return facts


@task(id="r-spoils", retry=FAST)
def spoils(payload: str) -> int:
    """Spoil the streams or the logging configuration. Return the process's number."""
    if payload == "close":
        sys.stdout.close()
        sys.stderr.buffer.close()
    elif payload == "replace":
        sys.stdout = sys.stderr = cast("TextIO", object())
    elif payload == "detach":
        cast("Any", sys.stdout).detach()
        cast("Any", sys.stderr).reconfigure(encoding="ascii")
    elif payload == "descriptors":
        os.close(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    elif payload == "basicConfig":
        logging.basicConfig(force=True, level=logging.INFO)
    elif payload == "dictConfig":
        root: dict[str, object] = {"handlers": [], "level": "INFO"}
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": root})
    if payload in ("basicConfig", "dictConfig"):
        STANDARD.info("configured by %s", payload)
    return os.getpid()


@task(id="r-says", retry=FAST)
def says(payload: str) -> int:
    """Print and log in every way. Return the process's number."""
    print("printed", payload)
    print("to stderr", file=sys.stderr)
    STANDARD.info("logged")
    subprocess.run(["echo", "by a program"], check=True)
    subprocess.run("echo of an error >&2", shell=True, check=True)
    return os.getpid()


@task(id="r-many-lines", retry=FAST)
def many_lines(payload: int) -> None:
    """Write lines from several threads and programs at once, each in pieces."""

    def print_all(name: str) -> None:
        for number in range(payload):
            print(name, end=" ")
            print(number)

    threads = [threading.Thread(target=print_all, args=(f"thread{number}",)) for number in range(4)]
    code = "import sys\nfor number in range(int(sys.argv[2])): print(sys.argv[1], number)"
    programs = [subprocess.Popen([sys.executable, "-c", code, f"program{number}", str(payload)]) for number in range(3)]
    for thread in threads:
        thread.start()
    for each in (*threads,):
        each.join()
    for program in programs:
        program.wait()


@task(id="r-aprints", retry=FAST)
async def aprints(payload: int) -> None:
    """Print a line in pieces, between which others print, also in a thread."""
    print("run", end=" ")
    await asyncio.sleep(0.01)
    print(payload, end=" ")
    await asyncio.sleep(0.01)
    print("ends")
    await asyncio.to_thread(print, "thread of", payload)
    print("without a break", payload, end="")


@task(id="r-aspoils", retry=FAST)
async def aspoils(payload: str) -> None:
    """Close or replace the streams, which other runs use."""
    if payload == "close":
        sys.stdout.close()
    else:
        sys.stdout = sys.stderr = cast("TextIO", object())
