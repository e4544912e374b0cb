"""Batches: their requests, and their items as lines of JSON."""
