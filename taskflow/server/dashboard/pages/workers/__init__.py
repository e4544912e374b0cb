"""The pages of workers: nodes by machine class, one node, and what waits for a worker that is not there."""
