"""Retries of a block inside a task: a call that raises, or an HTTP request that fails. Independent of runs."""
