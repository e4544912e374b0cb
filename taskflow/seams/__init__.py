"""Protocols and values between layers: code of a higher layer passes them to code of a lower one."""
