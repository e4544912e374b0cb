"""Refuse to block a running event loop."""

from asyncio import events

from taskflow.errors import BlockingCallError


def refuse_in_event_loop(verb: str, twin: str) -> None:
    """Raise where a blocking verb would stop every coroutine of this thread.

    Raises:
        BlockingCallError: An event loop runs in this thread. Its message names the async twin.
    """
    # get_running_loop() raises when there is none, which costs ten times as much on the path of every trigger.
    if events._get_running_loop() is not None:  # pyright: ignore[reportPrivateUsage] - see above
        raise BlockingCallError(verb, twin)
