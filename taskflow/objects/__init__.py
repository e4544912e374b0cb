"""Payloads and outputs too large for the run store: objects of an fsspec file system. Records hold addresses."""
