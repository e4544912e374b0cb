"""The parameters of the functions that are tasks."""
