"""Alerts: rules, the events that they find, and the ways by which people get them."""
