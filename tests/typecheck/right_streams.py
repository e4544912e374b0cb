"""What type checkers know of streams. Never run."""

from collections.abc import AsyncGenerator, Generator
from typing import assert_type

from pydantic import BaseModel, TypeAdapter

from taskflow import InputStream, OutputStream, streams


class Approval(BaseModel):
    yes: bool


tokens = streams.define("tokens", str)
steps = streams.define("steps", dict[str, int])
anything = streams.define("anything")
either: TypeAdapter[int | str] = TypeAdapter(int | str)
mixed = streams.define("mixed", either)
approval = streams.input("approval", Approval)


def tell() -> None:
    assert_type(tokens, OutputStream[str])
    assert_type(steps, OutputStream[dict[str, int]])
    assert_type(anything, OutputStream[object])
    assert_type(mixed, OutputStream[int | str])
    assert_type(approval, InputStream[Approval])
    tokens.append("a")
    mixed.append(1, target="parent")
    assert_type("".join(tokens.pipe(["a"])), str)
    assert_type(tokens.pipe(iter("ab"), target="root").drain(), int)
    with tokens.writer() as write:
        write("a")
        write.flush()
    assert_type(tokens.read("run_1", start_index=1, timeout="5s"), Generator[str])
    assert_type(approval.once(), Approval)
    assert_type(approval.wait("1h"), Approval)
    assert_type(approval.peek(), Approval | None)
    assert_type([answer.yes for answer in approval], list[bool])
    approval.send("run_1", Approval(yes=True))
    approval.on(lambda answer: print(answer.yes)).off()


async def atell() -> None:
    await tokens.aappend("a")
    assert_type([each async for each in tokens.apipe(tokens.aread("run_1"))], list[str])
    assert_type(await tokens.apipe(tokens.aread("run_1")).adrain(), int)
    async with steps.writer(target="run_1") as writer:
        await writer.awrite({"a": 1})
    assert_type(tokens.aread("run_1"), AsyncGenerator[str])
    assert_type(await approval.aonce("5m"), Approval)
    assert_type(await approval.await_next("1h"), Approval)
    assert_type(await approval.apeek(), Approval | None)
    await approval.asend("run_1", Approval(yes=True))
