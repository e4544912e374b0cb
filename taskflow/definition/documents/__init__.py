"""Typed JSON: annotations, payloads and outputs as documents."""
