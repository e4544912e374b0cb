"""The trace of a run: what happened to it and in its code, with start and end, as a tree."""
