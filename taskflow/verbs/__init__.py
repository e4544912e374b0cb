"""The public verbs: ``@task``, handles, ``runs``, ``queues``, ``batch``, ``wait``, ``step``."""
