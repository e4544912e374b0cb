"""The embedded store: one Valkey server for each project folder, for machines with nothing on them.

``ensure_store`` attaches to the folder's server or starts it; the server outlives the process that started it. It
listens on a unix socket only, its folder belongs to the user alone, and it keeps an append-only file.

One rule makes this safe: **the server holds an exclusive lock on ``broker.lock`` for as long as it lives.** It inherits
the locked descriptor from the process that starts it. So a free lock means that no server runs, however the last one
ended, and a held one means that nobody else may touch the data; a process id that was reused or a file left behind
cannot deceive. This package must not know what is kept in the store.
"""

from taskflow.embedded.supervision import EmbeddedStore, ensure_store, stop_store

__all__ = ["EmbeddedStore", "ensure_store", "stop_store"]
