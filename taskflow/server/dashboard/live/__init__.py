"""Live updates: the topics of a page, and the stream that carries them to it."""
