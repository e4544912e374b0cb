"""The settings of taskflow in those of a Django site: ``TASKFLOW = {"REDIS_URL": ...}``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from django.conf import settings

from taskflow.contrib.django.site import VARIABLE
from taskflow.errors import SettingsError
from taskflow.settings_sources import FrameworkSettings

NAME: Final = "TASKFLOW"


def read_site() -> FrameworkSettings:
    """Return the settings, and the site's folder: its ``BASE_DIR``.

    Raises:
        SettingsError: ``TASKFLOW`` is not a mapping.
    """
    site: Any = settings
    place = f"in {NAME} of {os.environ.get(VARIABLE, 'the Django settings')}"
    values: object = getattr(site, NAME, {})
    if not isinstance(values, Mapping):
        raise SettingsError(f'{NAME}, in the Django settings, is not a mapping. Write {NAME} = {{"REDIS_URL": "..."}}.')
    base: object = getattr(site, "BASE_DIR", None)
    folder = Path(base) if isinstance(base, str | Path) else None
    return FrameworkSettings(place, cast("Mapping[str, object]", values), folder)
