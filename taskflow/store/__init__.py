"""The run store: one Lua script an operation, described once, run by a sync and an async shell."""
