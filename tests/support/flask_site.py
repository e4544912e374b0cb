"""The tests' Flask site with a database of its own, its commands and its workers, in processes of their own."""

from pathlib import Path

from tests.support.django_site import DjangoSite
from tests.support.fleet import ROOT
from tests.support.servers import RedisServer

SITE = ROOT / "tests" / "projects" / "flask_site"


class FlaskSite(DjangoSite):
    """A site in a folder. See ``DjangoSite``."""

    FLEET = "taskflow.contrib.flask.fleet"

    def __init__(
        self, folder: Path, valkey: RedisServer, *, site: Path = SITE, forks: bool = True, **variables: str
    ) -> None:
        more = {"FLASK_APP": "site_app:create_app", "SITE_NOTES": str(folder / "notes"), **variables}
        super().__init__(folder, valkey, site=site, forks=forks, **more)

    def notes(self) -> list[str]:
        """Return the lines that processes of the site have noted."""
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.is_file() else []
