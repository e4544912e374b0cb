"""The pages of queues: all of them, one with its concurrency keys, pause and limits."""
