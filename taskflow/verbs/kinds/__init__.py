"""The classes of tasks that ``@task`` makes, and their types."""
