"""The page of all tasks, and the page of one."""
