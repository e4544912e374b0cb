"""A newcomer's first hour: the built wheel, an empty folder, ``taskflow init``, ``taskflow dev``, the first run."""
