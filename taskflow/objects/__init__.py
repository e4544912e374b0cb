"""Payloads and outputs that are too large for the run store: objects of an fsspec file system, named by address."""
