"""Python's garbage collector in a worker. It need not look, thousands of times, at what lives as long as the node."""

import gc
from typing import Final

_DEFAULT: Final = (700, 10, 10)  # CPython 3.11 to 3.13
_CALM: Final = (10_000, 10, 10)


def spare_what_stays() -> None:
    """Exempt all modules and tasks that are loaded now from collection, and collect the rest less often.

    Call it once everything is imported and before the pool forks, so that its children share these pages and Celery's
    collection before each fork takes no time. A threshold that the application has chosen stays.
    """
    gc.collect()
    gc.freeze()
    if gc.get_threshold()[:2] == _DEFAULT[:2]:
        gc.set_threshold(*_CALM)
