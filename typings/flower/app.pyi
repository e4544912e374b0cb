from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flower.events import Events
from tornado.options import OptionParser
from tornado.web import Application

class Flower(Application):
    options: OptionParser
    events: Events
    executor: ThreadPoolExecutor
    started: bool

    def __init__(self, options: OptionParser | None = ..., capp: object = ..., **kwargs: Any) -> None: ...
    def start_http_server(self) -> int | None: ...
    def update_workers(self, workername: str | None = ...) -> object: ...
    @property
    def workers(self) -> dict[str, dict[str, Any]]: ...
