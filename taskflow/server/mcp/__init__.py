"""The MCP server over HTTP: the transport of the SDK behind this server's check of keys."""
