"""Transactions whose process is killed at a place: ``python -m tests.projects.flask_site.kills SEED TRIES``.

Each try is a process of its own, a fork of this one. It writes rows with the ids of the runs that it has triggered.
"""

import os
import random
import sys
from collections.abc import Sequence
from typing import Any

from taskflow.contrib.sqlalchemy import outbox
from taskflow.verbs.late_triggers import LATE
from tests.projects.flask_site.site_app import Order, OrderPayload, create_app, db, process

KILLED = 9
PLACES = ("in the block", "after the commit", "before the entry is deleted", "without the store", "")


def main(seed: int, tries: int) -> None:
    """Make the tries, one after another."""
    app = create_app()
    chosen = random.Random(seed)
    for number in range(tries):
        place, count = PLACES[number % len(PLACES)], chosen.randint(1, 3)
        pid = os.fork()
        if pid == 0:
            with app.app_context():
                attempt(f"try {number}", place, count)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == (KILLED if place else 0), place


def attempt(name: str, place: str, count: int) -> None:
    """Write and trigger in a transaction, and die at a place."""
    session: Any = db.session
    if place == "without the store":
        os.environ |= {"TASKFLOW_REDIS_URL": "redis://127.0.0.1:1", "TASKFLOW_CONNECT_TIMEOUT": "0.2"}
    if place == "before the entry is deleted":
        setattr(outbox, "_forget", die)  # noqa: B010 - types would want its signature
    if place == "after the commit":
        LATE.publish = die  # type: ignore[method-assign]
    names = [f"{name}.{index}" for index in range(count)]
    rows = [Order(name=each, run_id="") for each in names]
    session.add_all(rows)
    if count == 1:
        ids: Sequence[str] = [process.trigger(OrderPayload(name=names[0])).id]
    else:
        with session.begin_nested():
            ids = process.batch_trigger([OrderPayload(name=each) for each in names]).run_ids
    for row, run_id in zip(rows, ids, strict=True):
        row.run_id = run_id
    undone = session.begin_nested()
    process.trigger(OrderPayload(name="undone"))
    undone.rollback()
    session.flush()
    if place == "in the block":
        die()
    session.commit()
    if place == "without the store":
        LATE.leave()
        die()


def die(*_: object, **options: object) -> None:
    """End this process as a kill would."""
    os._exit(KILLED)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
