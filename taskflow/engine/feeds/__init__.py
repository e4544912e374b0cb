"""The changes of runs, as many readers of one event loop follow them. Used by the server."""
