"""Upkeep: what makes time pass for runs. Every node runs it; one has the tick at a time."""
