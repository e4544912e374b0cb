"""The topic of every page: the frame's changing parts."""

from datetime import timedelta
from typing import Final

from taskflow.server.dashboard.frame import frame_parts, read_frame
from taskflow.server.dashboard.live.polled import polled

TOPIC: Final = polled("nav", timedelta(seconds=5), read_frame, frame_parts)
