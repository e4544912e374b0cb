"""Calls of streams that type checkers must refuse. Never run; see ``wrong_calls``."""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from taskflow import streams
from tests.typecheck.right_streams import Approval, approval, tokens


def wrong() -> None:
    tokens.append(1)  # type: ignore[arg-type]  # text
    tokens.pipe([1])  # type: ignore[list-item]  # text
    tokens.apipe(["a"])  # type: ignore[arg-type]  # an async iterable
    with tokens.writer() as write:
        write(b"a")  # type: ignore[arg-type]  # text
    tokens.read()  # type: ignore[call-arg]  # whose?
    approval.send("run_1", True)  # type: ignore[arg-type]  # an Approval
    approval.append(Approval(yes=True))  # type: ignore[attr-defined]  # a run does not tell there
    approval.on(lambda: None)  # type: ignore[arg-type, misc]  # it gets the item
    tokens.once()  # type: ignore[attr-defined]  # an input stream's
    streams.define(str, "tokens")  # type: ignore[call-overload]  # the name comes first
