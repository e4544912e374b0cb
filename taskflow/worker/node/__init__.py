"""The node: its registration, lease, heartbeat and departure."""
