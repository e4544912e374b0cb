"""The states of the code that have workers: the one that serves, the one that starts, and old ones with runs left.

At an edit the new code's workers start first. Once all of their nodes take runs, those of the old code are retired:
they finish what they execute. Code that can't be imported changes nothing.
"""

import signal
import time
from collections.abc import Callable
from typing import Final

from taskflow.dev.generation import Generation
from taskflow.dev.messages import Loaded, NodeReady, NodeRetired, Note, Refused
from taskflow.dev.orders import WorkersOrder
from taskflow.dev.process import DevProcess, Ended, Printed, ProcessEvent, Said
from taskflow.dev.terminal import Terminal

MOST_OLD: Final = 3
"""Old states of the code whose runs may still execute. Beyond these the oldest is stopped as by Ctrl-C."""


class Generations:
    """Starts, exchanges and ends the workers. All methods belong to the main thread.

    Args:
        program: The module of the workers' supervisor.
        ready: Shown when the first code serves.
        put: Called with the events of its processes.
        on_loaded: Called when new code was imported, before its nodes start.
        on_serving: Called when new code serves.
    """

    def __init__(
        self,
        program: str,
        order: WorkersOrder,
        ready: str,
        put: Callable[[ProcessEvent], None],
        terminal: Terminal,
        on_loaded: Callable[[Loaded], None],
        on_serving: Callable[[], None],
    ) -> None:
        self._program, self._order, self._put, self._terminal = program, order, put, terminal
        self._ready = ready
        self._on_loaded, self._on_serving = on_loaded, on_serving
        self._count = 0
        self._current: Generation | None = None
        self._starting: Generation | None = None
        self._old: list[Generation] = []
        self._is_unsaid = self._is_edited = self._is_stopping = False
        self.has_failed = False

    @property
    def is_empty(self) -> bool:
        """Whether no workers are left."""
        return not self._all()

    @property
    def has_code(self) -> bool:
        """Whether some code serves or starts."""
        return self._current is not None or self._starting is not None

    def start(self) -> None:
        """Start workers with the code as it is now; after those that start already."""
        if self._starting is not None:
            self._is_edited = True
            if self._starting.has_trouble:  # its nodes read files that an edit may have broken
                self._leave_behind(self._starting)
                self._starting = None
        if self._starting is None:
            self._is_edited = False
            self._count += 1
            self._starting = Generation(self._count, DevProcess(self._program, self._order, self._put))
            self._starting.process.start()

    def stop(self, number: signal.Signals) -> None:
        """End all workers: SIGTERM in good order, SIGQUIT at once."""
        self._is_stopping = True
        for generation in self._all():
            generation.stop(number)

    def handle(self, event: ProcessEvent) -> bool:
        """Act on an event of one of its processes. Returns False for an event of another process."""
        generation = next((each for each in self._all() if each.process is event.process), None)
        if generation is None:
            return False
        match event:
            case Said(_, Loaded() as loaded):
                generation.loaded = loaded
                self._on_loaded(loaded)
            case Said(_, NodeReady()):
                generation.count_ready()
                if generation is self._starting and generation.is_ready:
                    self._serve(generation)
            case Said(_, NodeRetired()):
                generation.count_retired()
            case Said(_, Refused(why=why)):
                generation.was_refused = True
                self._terminal.fail(f"This code can't be served. {why}")
            case Said(_, Note(text=text)):
                self._handle_note(generation, text)
            case Printed(_, line):
                self._terminal.show_output(line)
            case Ended():
                self._handle_end(generation)
            case _:
                pass
        self.look()
        return True

    def look(self) -> None:
        """Say that the new code serves once no old node takes runs, and that old code has runs left."""
        if self._is_stopping:
            return
        if self._is_unsaid and self._current and all(old.is_retired for old in self._old):
            self._is_unsaid = False
            took = time.monotonic() - self._current.edited_at
            self._terminal.show(f"Reloaded in {took:.1f} s", style="bold green")
        for old in self._old:
            if old.is_slow():
                self._terminal.show("Runs that began with older code still execute, and finish with it.", style="dim")

    def _handle_note(self, generation: Generation, text: str) -> None:
        if self._is_stopping:
            self._terminal.show(text, style="dim")
            return
        self._terminal.warn(text)
        generation.has_trouble = generation is self._starting
        if generation.has_trouble and self._is_edited:
            self.start()

    def _serve(self, generation: Generation) -> None:
        old, self._current, self._starting = self._current, generation, None
        self._on_serving()
        if old is None:
            self._terminal.show(self._ready, style="bold green")
        else:
            self._is_unsaid = True
            self._show_tasks(old, generation)
            self._leave_behind(old)
        if self._is_edited and not self._is_stopping:
            self.start()

    def _show_tasks(self, old: Generation, new: Generation) -> None:
        if added := sorted(new.tasks - old.tasks):
            self._terminal.show(f"New tasks: {', '.join(added)}", style="green")
        if gone := sorted(old.tasks - new.tasks):
            self._terminal.warn(f"Tasks that are gone: {', '.join(gone)}. Runs of them wait until they are back.")

    def _leave_behind(self, generation: Generation) -> None:
        generation.retire()
        self._old.append(generation)
        for oldest in self._old[:-MOST_OLD]:
            if not oldest.is_stopped:
                self._terminal.warn(
                    "Runs of the oldest code have little time to end: they start again with the new code."
                )
                oldest.stop(signal.SIGTERM)

    def _handle_end(self, generation: Generation) -> None:
        code = generation.process.exitcode
        if self._is_stopping and code not in (0, -signal.SIGTERM):
            self.has_failed = True
        if generation in self._old:
            self._old.remove(generation)
            return
        if generation is self._current:
            self._current = None
            if not self._is_stopping:
                self._terminal.fail(f"The workers ended with code {code}. The next edit starts them again.")
            return
        self._starting = None
        if self._is_stopping:
            return
        if not generation.was_refused:
            self._terminal.fail(f"The workers of this code ended with code {code}.")
        if self._is_edited:
            self.start()
        else:
            self._terminal.show(
                "The code before this edit keeps serving." if self._current else "The next edit is tried.", style="dim"
            )

    def _all(self) -> list[Generation]:
        return [*self._old, *filter(None, (self._current, self._starting))]
