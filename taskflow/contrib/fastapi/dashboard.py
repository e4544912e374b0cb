"""The dashboard for ``app.mount("/taskflow", dashboard_app())``."""

from typing import TYPE_CHECKING

from taskflow.errors import SettingsError

if TYPE_CHECKING:
    from taskflow.server.mounted.dashboard import MountedDashboard


def dashboard_app() -> "MountedDashboard":
    """Return the dashboard of the current application, which is made at the first request.

    Raises:
        SettingsError: Packages are missing.
    """
    try:
        from taskflow.server.mounted.dashboard import MountedDashboard
    except ModuleNotFoundError as missing:
        raise SettingsError(f"{missing.name} is missing: pip install 'celery-taskflow[fastapi,server]'") from None
    return MountedDashboard()
