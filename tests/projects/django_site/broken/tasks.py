"""A module whose import fails."""

import importlib

importlib.import_module("no_such_module")
