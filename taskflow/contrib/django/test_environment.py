"""Whether a site's process runs tests: by ``manage.py test``, pytest-django or anything that sets them up."""

import os
import sys
from typing import Any, Final

_COMMANDS: Final = ("manage.py", "django-admin", "__main__.py")


def is_command() -> bool:
    """Whether this process is ``manage.py test``, which loads the site before it prepares anything for tests."""
    return sys.argv[1:2] == ["test"] and os.path.basename(sys.argv[0]) in _COMMANDS


def is_set_up() -> bool:
    """Whether ``setup_test_environment`` is in force. A process that has not imported Django's tests pays one look."""
    loaded: Any = sys.modules.get("django.test.utils")
    return loaded is not None and hasattr(loaded._TestState, "saved_data")
