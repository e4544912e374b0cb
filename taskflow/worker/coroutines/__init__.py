"""The ``async`` executor: a pool that runs coroutines in one event loop."""
