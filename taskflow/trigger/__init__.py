"""The verbs on runs: trigger, look up, cancel, wait for the result."""
