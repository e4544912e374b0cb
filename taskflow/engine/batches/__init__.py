"""Batches: plan the items part by part, record them, wait for their ends."""
