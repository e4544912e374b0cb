"""Protocols between layers: what code of a higher layer gives to code of a lower one."""
