"""The first contact of a worker with its store, before any node starts."""

import sys
import time
from collections.abc import Callable
from typing import Final

from taskflow.errors import StoreUnavailableError
from taskflow.store.server_check import check_server
from taskflow.store.sync_store import Store

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0


def wait_for_store(store: Store, show: Callable[[str], None] | None = None) -> None:
    """Wait until the store answers, with one line when it does not and one when it does.

    Nodes that start without a store would end, each with a traceback, and start again.

    Raises:
        SettingsError: The store may drop keys, or its user lacks a right.
    """
    show = show or _show
    pause = _FIRST_PAUSE
    while True:
        try:
            check_server(store)
            break
        except StoreUnavailableError as error:
            if pause == _FIRST_PAUSE:
                show(f"{error} The worker waits for it.")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    if pause != _FIRST_PAUSE:
        show("The run store answers; the worker starts.")


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
