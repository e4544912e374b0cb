"""Signing in: passwords, sessions and their pages."""
