"""The operations that only the server needs."""
