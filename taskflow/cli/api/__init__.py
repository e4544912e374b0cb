"""The commands around the HTTP API: the server and its keys."""
