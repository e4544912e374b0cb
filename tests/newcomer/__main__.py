"""``python -m tests.newcomer``: both journeys, with environments that pip fills from the registry, and their times."""

import sys
import tempfile
import time
from pathlib import Path

from tests.newcomer.environment import build_wheel, fresh_environment
from tests.newcomer.journey import Journey
from tests.support.browser import chromium


def main() -> None:
    """Print the time of each step."""
    kinds = sys.argv[1:] or ["plain", "django"]
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        wheel = build_wheel(Path(place))
        for kind in kinds:
            folder = Path(place) / f"a new {kind} folder"
            folder.mkdir()
            print(f"{kind}:")
            began = time.monotonic()
            environment = fresh_environment(Path(place) / f"{kind} env", wheel, _EXTRAS[kind])
            print(f"pip install 'celery-taskflow[{_EXTRAS[kind]}]': {time.monotonic() - began:.1f} s")
            journey = Journey(environment, folder)
            _STEPS[kind](journey, browser)
            print(f"from init to the first run: {journey.seconds:.1f} s; with pip: {time.monotonic() - began:.1f} s")


_EXTRAS = {"plain": "server", "django": "django,server"}
_STEPS = {"plain": Journey.plain, "django": Journey.django}

if __name__ == "__main__":
    main()
