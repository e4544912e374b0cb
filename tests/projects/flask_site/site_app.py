"""The tests' Flask site: tasks that show in which context they run, and orders in a database."""

import os
from typing import Any, cast

from flask import Flask, current_app, g, has_app_context
from flask_sqlalchemy import SQLAlchemy
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from taskflow import Context, Retry, step, task, wait
from taskflow.contrib.flask import Taskflow, asgi
from taskflow.contrib.sqlalchemy import outbox_table

ONCE = Retry(max_attempts=1)


class Base(DeclarativeBase):
    """The base of the tables."""


class Order(Base):
    """An order, with the run that a trigger in its transaction makes."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    run_id: Mapped[str]


class Effect(Base):
    """The deed of a run, with what it saw."""

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    run_id: Mapped[str]
    saw_order: Mapped[bool]


class OrderPayload(BaseModel):
    """The order to process."""

    name: str


db = SQLAlchemy(model_class=Base)
outbox = outbox_table(db.metadata)
taskflow = Taskflow(session=db.session, outbox=outbox if "SITE_OUTBOX" in os.environ else None)


def note(what: str) -> None:
    """Append a line to the file of the site, from any process."""
    file = os.environ.get("SITE_NOTES")
    if file:
        with open(file, "a") as notes:
            notes.write(f"{what}\n")


def context_name() -> str:
    """Return the name of the app whose context is entered."""
    return str(cast("object", current_app.config["SITE_NAME"])) if has_app_context() else "none"


def hook(kind: str) -> Any:
    """Return a hook that notes its context."""

    def noting() -> None:
        note(f"{kind} {context_name()}")

    return noting


HOOKS = {kind: hook(kind) for kind in ("init", "cleanup", "on_start", "on_success", "on_failure", "on_cancel")}


@task(id="flask-place", retry=ONCE, **HOOKS)
def place(ctx: Context) -> str:
    """Return the context, and whether another run has used it before."""
    was_used = hasattr(g, "used")
    g.used = True
    return f"{context_name()} {was_used}"


@task(id="flask-place-async", retry=ONCE, **HOOKS)
async def place_async(ctx: Context) -> str:
    """Return the same from a coroutine."""
    was_used = hasattr(g, "used")
    g.used = True
    await wait.afor_(0.05)
    return f"{context_name()} {was_used}"


@task(id="flask-fail", retry=ONCE, **HOOKS)
def fail(ctx: Context) -> None:
    """Fail, so that teardown functions get the error."""
    raise ValueError("on purpose")


@task(id="flask-durable", retry=ONCE, durable=True)
def durable(ctx: Context) -> str:
    """Wait and go on in the context."""
    before = step("before", context_name)
    wait.for_(0.1)
    return f"{before} {context_name()}"


@task(id="flask-process", retry=ONCE)
def process(payload: OrderPayload, ctx: Context) -> str:
    """Write what the run saw."""
    saw = db.session.query(Order).filter_by(name=payload.name, run_id=ctx.run.id).count() == 1
    db.session.add(Effect(name=payload.name, run_id=ctx.run.id, saw_order=saw))
    db.session.commit()
    return payload.name


@task(id="flask-connection", retry=ONCE)
def connection(ctx: Context) -> str:
    """Return the process and the object of its database connection."""
    return f"{os.getpid()} {db.session.connection().connection.dbapi_connection!r}"


def create_app() -> Flask:
    """Make the site."""
    app = Flask(__name__)
    app.config.from_mapping(
        SITE_NAME="tests' site",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{os.environ['SITE_FOLDER']}/site.sqlite3",
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 20}},
    )
    app.config.from_prefixed_env("SITE_CONFIG")
    db.init_app(app)
    taskflow.init_app(app)

    @app.teardown_appcontext
    def end(error: BaseException | None) -> None:
        note(f"teardown {type(error).__name__}")

    with app.app_context():
        db.create_all()  # uses a connection before workers fork
    return app


def create_server() -> object:
    """Make the site with the dashboard."""
    return asgi(create_app(), prefix="/admin/runs")
