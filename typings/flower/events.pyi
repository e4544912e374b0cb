from collections.abc import Callable
from typing import Any

class EventsState:
    workers: dict[str, object]

class Events:
    state: EventsState
    on_event: Callable[[dict[str, Any]], None]

    def start(self) -> None: ...
    def stop(self) -> None: ...
