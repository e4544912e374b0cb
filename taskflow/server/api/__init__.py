"""The resources of the API: one module each, with its handlers, models and routes."""
