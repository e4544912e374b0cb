from collections.abc import Sequence

from tornado.routing import URLSpec

settings: dict[str, object]
handlers: Sequence[URLSpec | tuple[str, object]]
