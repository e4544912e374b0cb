"""The pages of webhooks: deliveries, one of them, and sources."""
