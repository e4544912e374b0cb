"""The run store: one Lua script an operation, described once, executed by a blocking and an asyncio shell."""
