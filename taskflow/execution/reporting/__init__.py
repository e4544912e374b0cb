"""Reports of an executing run: metadata, tags, log lines. They are gathered here; a ``RunWriter`` sends them."""
