"""A Django site that triggers a task from a form and shows the run."""
