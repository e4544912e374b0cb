"""The HTTP server: the API that other languages and hosts use, and the dashboard. Starlette is imported here only."""

from taskflow.server.dashboard.app import dashboard_app

__all__ = ["dashboard_app"]
