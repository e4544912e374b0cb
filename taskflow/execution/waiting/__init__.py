"""Waiting of an attempt's code: it gives its slot back, and takes it again before it goes on."""
