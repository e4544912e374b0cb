"""Types of ``@task``: its options, and the kinds of tasks that it makes."""
