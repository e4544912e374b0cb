"""The HTTP server: the API that other languages and hosts use, and the dashboard. Starlette is imported here only."""

from taskflow.server.dashboard.app import dashboard_app
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.sign_in.visitors import Visitor, Visitors

__all__ = ["PageProblem", "Visitor", "Visitors", "dashboard_app"]
