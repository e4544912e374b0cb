"""``taskflow init``: the files of a new project, and what an existing one needs."""
