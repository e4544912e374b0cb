"""An example shop as its README starts it: uvicorn and ``taskflow worker`` in a copy of its folder."""

import re
import shutil
from pathlib import Path

import httpx

from tests.support.flask_site import FlaskSite
from tests.support.fleet import ROOT
from tests.support.processes import Process, tail
from tests.support.servers import HOST, RedisServer, free_port
from tests.support.waiting import wait_until


class ShopSite(FlaskSite):
    """A shop with a server, a worker and a client."""

    def __init__(
        self, folder: Path, valkey: RedisServer, name: str, *server: str, forks: bool = True, **variables: str
    ) -> None:
        shutil.copytree(ROOT / "examples" / name, folder / name)
        super().__init__(folder, valkey, site=folder / name, forks=forks, **variables)
        del self.variables["FLASK_APP"]
        self.port_of_site = free_port()
        words = ("-m", "uvicorn", *server, "--host", HOST, "--port", str(self.port_of_site))
        self.server: Process = self.start("server", *words)
        self.start_worker("-m", "taskflow", "worker", "--concurrency", "1", nodes=1)
        self.client = httpx.Client(base_url=f"http://{HOST}:{self.port_of_site}", timeout=20)
        wait_until(self._answers, f"the server; its log: {self.log('server')}", timeout=60)

    def sign_in(self, prefix: str) -> None:
        """Sign in to the dashboard as its first user, whose password is in the server's log."""
        page = self.client.get(f"{prefix}/", follow_redirects=True)
        assert page.status_code == 200, page.text
        assert page.url.path == f"{prefix}/signin"
        found = re.search(r"as admin with the password (\S+)", self.log("server").read_text())
        assert found, tail(self.log("server"))
        sent = self.client.post(f"{prefix}/signin", data={"user": "admin", "password": found[1]})
        assert sent.status_code == 303, sent.text

    def close(self) -> None:
        """Stop what was started."""
        self.client.close()
        super().close()

    def _answers(self) -> bool:
        assert self.server.poll() is None, tail(self.log("server"))
        try:
            return self.client.get("/no-such-page").status_code == 404
        except httpx.TransportError:
            return False
