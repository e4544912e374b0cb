"""A shop in Flask: an order is saved, and its confirmation runs in the background as soon as it is committed."""

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from taskflow import RunNotFoundError, runs, task
from taskflow.contrib.flask import Taskflow, asgi


class Base(DeclarativeBase):
    """The base of the tables."""


class Order(Base):
    """An order, with the run that confirms it."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    status: Mapped[str] = mapped_column(default="new")
    run_id: Mapped[str] = mapped_column(default="")


class OrderPayload(BaseModel):
    """The order to confirm."""

    order_id: int


db = SQLAlchemy(model_class=Base)
taskflow = Taskflow(session=db.session)


@task(id="confirm-order")
def confirm_order(payload: OrderPayload) -> str:
    """Confirm an order. Safe to repeat. The task has the app's context, so `db.session` works as in a view."""
    order = db.session.get_one(Order, payload.order_id)
    order.status = "confirmed"
    db.session.commit()
    return f"{order.email} has a confirmation"


def create_app() -> Flask:
    """Make the site. Any setting of taskflow may stand in its configuration, for example TASKFLOW_REDIS_URL."""
    app = Flask(__name__)
    app.config.from_mapping(SQLALCHEMY_DATABASE_URI="sqlite:///shop.sqlite3", TASKFLOW_RETENTION="1h")
    app.config.from_prefixed_env("SHOP")
    db.init_app(app)
    taskflow.init_app(app)
    app.add_url_rule("/orders", view_func=place_order, methods=["POST"])
    app.add_url_rule("/orders/<int:order_id>", view_func=show_order)
    with app.app_context():
        db.create_all()
    return app


def place_order() -> ResponseReturnValue:
    """Save an order and trigger its confirmation. Nothing of both is left when the commit fails."""
    email = str(request.get_json().get("email", ""))
    order = Order(email=email)
    db.session.add(order)
    db.session.flush()  # gives the order its id
    order.run_id = confirm_order.trigger(OrderPayload(order_id=order.id)).id
    if "@" not in email:
        db.session.rollback()
        abort(422, "An order needs an e-mail address.")
    db.session.commit()  # makes the run
    return {"id": order.id, "run_id": order.run_id}, 201


def show_order(order_id: int) -> ResponseReturnValue:
    """Show an order and the status of its run."""
    order = db.get_or_404(Order, order_id)
    try:
        run = runs.retrieve(order.run_id).status.value
    except RunNotFoundError:
        run = "forgotten"
    return {"id": order.id, "email": order.email, "status": order.status, "run": run}


def create_server() -> object:
    """Return the site with the dashboard at /taskflow, for `uvicorn --factory shop:create_server`."""
    return asgi(create_app(), prefix="/taskflow")
