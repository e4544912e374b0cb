"""Upkeep: the work that falls due as time passes. Every node runs it; one node at a time has the tick."""
