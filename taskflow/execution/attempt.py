"""Execute one attempt of a task's function and say how it ended. Never raises what user code raised."""

import asyncio
import inspect
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from taskflow.definition.context import Context, entered
from taskflow.definition.task import TaskDefinition
from taskflow.errors import OutputError
from taskflow.execution.outcome import Completed, Outcome, Tries, decide


@dataclass(frozen=True, slots=True)
class Attempt:
    """Everything one attempt needs. ``payload`` is the stored JSON."""

    definition: TaskDefinition
    payload: bytes
    context: Context
    tries: Tries
    output_limit: int
    random: Callable[[], float] = random.random

    def execute(self) -> Outcome:
        """Run a ``def`` function, or an ``async def`` one under an event loop of its own.

        Raises:
            SystemExit: The child was told to leave: the attempt has no outcome.
        """
        try:
            with entered(self.context):
                value = self._call()
                if inspect.iscoroutine(value):
                    value = asyncio.run(cast("Coroutine[Any, Any, object]", value))
                return self._completed(value)
        except SystemExit as leaving:
            if _is_signal(leaving):
                raise
            return self._decided(leaving)
        except Exception as error:
            return self._decided(error)

    async def aexecute(self) -> Outcome:
        """Run an ``async def`` function in the running loop.

        Raises:
            asyncio.CancelledError: The attempt was canceled from outside.
        """
        try:
            with entered(self.context):
                return self._completed(await cast("Coroutine[Any, Any, object]", self._call()))
        except (Exception, SystemExit) as error:
            return self._decided(error)

    def _call(self) -> object:
        payload_type = self.definition.payload
        payload = payload_type.load(self.payload) if payload_type else None
        return self.definition.invoke(payload, self.context)

    def _completed(self, value: object) -> Completed:
        output = self.definition.output.dump(value)
        if len(output) > self.output_limit:
            raise OutputError(
                f"The output's JSON is {len(output):,} bytes and the limit is {self.output_limit:,}. Store the data "
                "elsewhere and return its address, or raise TASKFLOW_OUTPUT_LIMIT."
            )
        return Completed(output, value)

    def _decided(self, error: BaseException) -> Outcome:
        return decide(error, self.definition, self.tries, self.random, datetime.now(UTC))


def _is_signal(leaving: SystemExit) -> bool:
    """Whether SIGTERM made the child leave (billiard exits with ``-(256 - signal)``), not the task's ``sys.exit``."""
    return isinstance(leaving.code, int) and leaving.code < -128
