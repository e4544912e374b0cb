"""The embedded store: one Valkey server for each project folder, for machines without a Redis or Valkey of their own.

``ensure_store`` attaches to the folder's server or starts it; the server outlives the process that started it, and ends
after an hour without clients (``idle_program.py``). It listens on a unix socket only, its folder belongs to the user
alone, and it keeps an append-only file.

One rule makes this safe: **the server holds an exclusive lock on ``store.lock`` for as long as it lives.** It inherits
the locked descriptor from the process that starts it. A free lock means that no server runs, however the last server
ended. A held lock means that no other process may touch the data. A reused process id or a stale file cannot break this
rule. This package must not depend on the content of the store.
"""

from taskflow.embedded.supervision import EmbeddedStore, StoreStatus, ensure_store, stop_store, store_status

__all__ = ["EmbeddedStore", "StoreStatus", "ensure_store", "stop_store", "store_status"]
