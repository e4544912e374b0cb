"""Transactions with triggers and faults, driven by a seed. Prints what was committed and what was rolled back, as JSON.

``python -m tests.projects.flask_site.commits SEED TRIES PORT KIND``: the store is at PORT, and this process reaches it
through a proxy that loses answers and is away now and then. KIND is ``flask``, for the session of Flask-SQLAlchemy, or
``plain``.
"""

import json
import os
import random
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from taskflow.contrib.sqlalchemy import follow
from taskflow.verbs.late_triggers import LATE
from tests.projects.flask_site.site_app import Order, OrderPayload, create_app, db, process
from tests.support.unreliable_proxy import UnreliableProxy
from tests.support.waiting import wait_until


class FaultError(Exception):
    """Raised at a random place of a transaction."""


def main(seed: int, tries: int, port: int, kind: str) -> None:
    """Try transactions, then wait until what the store missed is made up for."""
    with UnreliableProxy(port) as proxy, ExitStack() as stack:
        os.environ["TASKFLOW_REDIS_URL"] = proxy.url.replace("http", "redis") + "/0"
        app = create_app()
        sessions: Any = db.session
        if kind == "plain":
            sessions = sessionmaker(create_engine(str(cast("object", app.config["SQLALCHEMY_DATABASE_URI"]))))
            follow(sessions)
        else:
            stack.enter_context(app.app_context())
        rolled_back = Tries(seed, proxy, sessions).go(tries)
        proxy.is_away, proxy.losses = False, 0
        wait_until(lambda: not len(LATE), "what the store missed to be made up for", timeout=60)
    print(json.dumps({"rolled_back": rolled_back}))


class Tries:
    """The tries of one seed."""

    def __init__(self, seed: int, proxy: UnreliableProxy, sessions: Any) -> None:
        self.random, self.proxy, self.sessions = random.Random(seed), proxy, sessions
        self.triggered: list[str] = []

    def go(self, tries: int) -> list[str]:
        """Make all tries. Returns the ids of the runs whose rows are not in the database."""
        for number in range(tries):
            self.proxy.is_away = self.proxy.is_away and self.random.random() < 0.5  # away for some tries
            try:
                with self.session() as session:
                    self.block(session, f"{number}", 0)
                    if self.random.random() < 0.1:
                        self.proxy.go_away()  # before the commit
                    elif self.random.random() < 0.05:
                        self.proxy.losses = 1
                    self.perhaps_fail(0.3)
                    if self.random.random() < 0.9:
                        session.commit()  # else it is closed without
            except FaultError:
                pass
        with self.session() as session:
            kept = set(session.scalars(select(Order.run_id)))
        return [run_id for run_id in self.triggered if run_id not in kept]

    @contextmanager
    def session(self) -> Generator[Session]:
        """Hold a session for one try. After a fault it is rolled back or only closed."""
        session: Session = self.sessions()
        try:
            yield session
        except FaultError:
            if self.random.random() < 0.5:
                session.rollback()
            raise
        finally:
            session.close()

    def block(self, session: Session, name: str, depth: int) -> None:
        """Write and trigger, with savepoints inside whose faults end in them or not."""
        for index in range(self.random.randint(1, 2)):
            self.order(session, f"{name}.{index}")
            self.perhaps_fail(0.05)
            if depth < 2 and self.random.random() < 0.4:
                is_caught = self.random.random() < 0.7
                try:
                    with session.begin_nested():
                        self.block(session, f"{name}.{index}n", depth + 1)
                        self.perhaps_fail(0.3)
                except FaultError:
                    if not is_caught:
                        raise

    def order(self, session: Session, name: str) -> None:
        """Trigger a run, or a batch of two, and write the rows that name it, in any order."""
        names = [f"{name}a", f"{name}b"] if self.random.random() < 0.2 else [name]
        rows = [Order(name=each, run_id="") for each in names]
        session.add_all(rows)
        if self.random.random() < 0.5:
            session.flush()
        payloads = [OrderPayload(name=each) for each in names]
        ids = process.batch_trigger(payloads).run_ids if len(names) > 1 else [process.trigger(payloads[0]).id]
        for row, run_id in zip(rows, ids, strict=True):
            row.run_id = run_id
            self.triggered.append(run_id)
        session.flush()

    def perhaps_fail(self, chance: float) -> None:
        """Raise with a probability."""
        if self.random.random() < chance:
            raise FaultError


if __name__ == "__main__":
    first, second, third = map(int, sys.argv[1:4])
    main(first, second, third, sys.argv[4])
