"""Starting Flower: options, credentials, the web application, and its end at SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tornado.options import OptionParser

from taskflow.app import TaskFlow
from taskflow.errors import SettingsError
from taskflow.flower_tab.application import TaskflowFlower
from taskflow.flower_tab.credentials import USER, OwnPassword, check_address, check_credentials, own_password
from taskflow.flower_tab.links import DashboardLinks
from taskflow.flower_tab.options import read_options


@dataclass(frozen=True, slots=True)
class Started:
    """The facts that people need once Flower listens.

    Attributes:
        address: Its URL, or the path of its socket.
        is_local: Whether it listens at an address of this host alone.
        password: The password that taskflow has made; None when the user has set credentials.
    """

    address: str
    is_local: bool
    links: DashboardLinks
    password: OwnPassword | None


class PreparedFlower:
    """Flower with its options read and its credentials checked.

    Args:
        given: Values of the command's own options, without those that were left out.
        words: Further options of Flower.

    Raises:
        SettingsError: An option is wrong, or other hosts would reach Flower and no credentials are set.
    """

    def __init__(
        self, flow: TaskFlow, given: Mapping[str, object], words: Sequence[str], *, has_open_metrics: bool
    ) -> None:
        self._flow, self._has_open_metrics = flow, has_open_metrics
        self._options, self._settings = read_options(given, words)
        self._password = _secure(self._options, flow)

    def serve(self, on_start: Callable[[Started], None]) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            SettingsError: The address is in use or not one of this host, or this Flower is another one than expected.
        """
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._serve(on_start))

    async def _serve(self, on_start: Callable[[Started], None]) -> None:
        is_local = _is_local(self._options)
        links = DashboardLinks.of(self._flow.settings, is_local=is_local)
        flower = TaskflowFlower(
            self._flow, self._options, self._settings, links, has_open_metrics=self._has_open_metrics
        )
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        port = self._listen(flower)
        flower.events.start()
        flower.started = True
        flower.update_workers()
        on_start(Started(self._address(port), is_local, links, self._password))
        try:
            await stopping.wait()
        finally:
            flower.events.stop()
            flower.executor.shutdown(wait=False, cancel_futures=True)

    def _listen(self, flower: TaskflowFlower) -> int | None:
        try:
            return flower.start_http_server()
        except OSError as error:
            where = self._options.unix_socket or f"{self._options.address}:{self._options.port}"
            raise SettingsError(
                f"Flower cannot listen at {where}: {error.strerror or error}. Choose another --port or --address, or "
                "stop the process that listens there."
            ) from None

    def _address(self, port: int | None) -> str:
        if port is None:
            return str(self._options.unix_socket)
        scheme = "https" if "ssl_options" in self._settings else "http"
        host = self._options.address or "0.0.0.0"
        prefix = str(self._options.url_prefix or "").strip("/")
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/{f'{prefix}/' if prefix else ''}"


def _secure(options: OptionParser, flow: TaskFlow) -> OwnPassword | None:
    """Check the credentials, or make Flower ask for the password of the project. Returns that password."""
    given: Any = options.basic_auth
    if given:
        check_credentials(given)
    if given or options.auth:
        return None
    if not options.unix_socket:
        check_address(options.address)
    password = own_password(flow.settings.home)
    options.basic_auth = [f"{USER}:{password.text}"]
    return password


def _is_local(options: OptionParser) -> bool:
    try:
        check_address(options.address)
    except SettingsError:
        return False
    return not options.unix_socket
