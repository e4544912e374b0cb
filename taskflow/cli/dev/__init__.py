"""``taskflow dev``, and the programs of its processes."""
