"""The ingress of webhooks: verifies a delivery, and makes its run in one round trip to the store."""
