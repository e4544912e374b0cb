"""Connections to the store: pools, retries, script loading and the exchange of commands."""
