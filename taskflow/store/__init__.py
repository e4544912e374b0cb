"""The run store. An operation is one Lua script, described once; a blocking and an asyncio shell execute it."""
