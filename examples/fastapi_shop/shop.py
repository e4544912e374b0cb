"""A shop in FastAPI: an order starts a run, and its events reach the client as they come."""

import asyncio

from fastapi import FastAPI, Response
from pydantic import BaseModel, Field

from taskflow import metadata, task
from taskflow.contrib.fastapi import RunById, dashboard_app, exception_handlers, run_events, taskflow_lifespan


class Order(BaseModel):
    """An order: what a client sends, and the payload of its run."""

    email: str = Field(pattern="@")
    items: list[str] = Field(min_length=1)


class Progress(BaseModel):
    """The run of an order."""

    run_id: str
    status: str
    packed: int = 0
    answer: str | None = None


@task(id="pack-order")
async def pack_order(payload: Order) -> str:
    """Pack the items one after another. The metadata tell how far it is."""
    for number, item in enumerate(payload.items, 1):
        await asyncio.sleep(0.1)  # packs
        metadata.set("packed", number).set("last", item)
    return f"{len(payload.items)} items for {payload.email}"


app = FastAPI(lifespan=taskflow_lifespan, exception_handlers=exception_handlers)
app.mount("/taskflow", dashboard_app())


@app.post("/orders", status_code=202)
async def place_order(order: Order) -> Progress:
    """Start the run of an order."""
    handle = await pack_order.atrigger(order)
    return Progress(run_id=handle.id, status="QUEUED")


@app.get("/orders/{run_id}")
async def show_order(run: RunById) -> Progress:
    """Show the run of an order. An unknown one is answered with 404."""
    answer = str(run.output) if run.output is not None else None
    packed = int(str(run.metadata.get("packed", 0)))
    return Progress(run_id=run.id, status=run.status, packed=packed, answer=answer)


@app.get("/orders/{run_id}/events")
async def follow_order(run: RunById) -> Response:
    """Follow the run of an order: `new EventSource("/orders/.../events")` in a page."""
    return await run_events(run.id)
