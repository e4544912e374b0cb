"""Requests, and the two shells that send them."""
