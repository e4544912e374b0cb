"""What users call: ``@task``, handles, ``runs``, ``queues``, ``batch``, ``wait``, ``step``."""
