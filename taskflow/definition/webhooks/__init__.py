"""Sources of webhooks: verifying, reading and signing deliveries. Pure: no I/O and no storage."""
