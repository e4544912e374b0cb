from typing import Any

from tornado.web import RequestHandler

class BaseHandler(RequestHandler):
    def get_argument(  # type: ignore[override]
        self,
        name: str,
        default: Any = ...,
        strip: bool = ...,
        type: Any = ...,
        required: bool = ...,
        escape: bool = ...,
    ) -> Any: ...
