"""The dashboard and the events of runs in an ASGI application of the user's own."""
