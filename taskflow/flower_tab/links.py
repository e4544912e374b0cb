"""Addresses of the dashboard's pages, for links out of Flower."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from taskflow.settings import Settings

_LOCAL: Final = "http://127.0.0.1:8787"
"""The default address of ``taskflow server``."""


@dataclass(frozen=True, slots=True)
class DashboardLinks:
    """The pages of one environment.

    Attributes:
        base: The address of the dashboard with the environment, without a slash at its end; "" when it is unknown.
    """

    base: str

    @classmethod
    def of(cls, settings: Settings, *, is_local: bool) -> "DashboardLinks":
        """Return the links that the settings lead to.

        Args:
            is_local: Whether Flower listens at an address of this host alone. The dashboard does, too, unless a setting
                says otherwise.
        """
        address = settings.dashboard_url or settings.public_url or (_LOCAL if is_local else "")
        return cls(f"{address}/{quote(settings.environment, safe='')}" if address else "")

    def run(self, run_id: str) -> str:
        """Return the address of a run's page, "" when the dashboard is unknown."""
        return f"{self.base}/runs/{quote(run_id, safe='')}" if self.base else ""

    def workers(self) -> str:
        """Return the address of the page of workers, "" when the dashboard is unknown."""
        return f"{self.base}/workers" if self.base else ""
