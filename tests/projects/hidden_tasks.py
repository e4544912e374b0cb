"""Tasks whose payload has values that the dashboard hides, and that repeat them wherever a task can."""

from pydantic import BaseModel

from taskflow import AbortRun, Context, logger, metadata, streams, task

notes = streams.define("hd-notes", dict[str, object])


class Card(BaseModel):
    """A card."""

    number: str
    cvc: int
    owner: str = "Ana"


class Item(BaseModel):
    """An item with a token."""

    token: str
    name: str


class Charge(BaseModel):
    """A payload with hidden values at three places."""

    card: Card
    items: list[Item]
    login: dict[str, str] = {}
    fails: bool = False


@task(id="hd-charge")
def charge(payload: Charge, ctx: Context) -> dict[str, object]:
    """Repeat the hidden values in logs, spans, items, metadata, tags, the output and the error."""
    number, secret = payload.card.number, payload.login.get("password", "")
    logger.info(f"charging {number}", card=number, deep={"password": secret})
    with logger.span("pay", card=number):
        logger.warning(f"the password is {secret!r}")
    metadata.set("password", secret)
    metadata.set("shown", "seen by everybody")
    notes.append({"password": secret, "n": 1, "text": f"of {number}"})
    if payload.fails:
        raise AbortRun(f"{number} was refused: {payload.items[0].token}, {secret}, {payload.card.cvc}")
    return {"card": {"number": number, "brand": "visa"}, "password": secret, "owner": payload.card.owner}
