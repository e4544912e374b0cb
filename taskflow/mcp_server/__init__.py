"""``taskflow mcp``: tools by which an assistant reads tasks, runs, logs and errors, and with leave acts on them.

Everything here works on an ``Application``: the store's, or the client of a server. The transport over HTTP is in
``server/mcp/``, because it needs Starlette and the server's check of keys.
"""
