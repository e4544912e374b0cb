"""Errors of declarations and settings: raised at import, or at the start."""

from taskflow.errors.base import TaskflowError, shown


class DefinitionError(TaskflowError):
    """A declaration is wrong. Raised at import, with the option, its value and what to write instead."""

    def __init__(self, what: str, *, option: str | None = None, value: object = None, remedy: str = "") -> None:
        self.what, self.option, self.value, self.remedy = what, option, value, remedy
        setting = "" if option is None else f" ({option}={shown(value)})"
        super().__init__(f"{what}{setting}. {remedy}".rstrip())


class UnknownSourceError(DefinitionError, AttributeError):
    """``webhooks`` has no sender of that name."""

    def __init__(self, name: str, remedy: str) -> None:
        DefinitionError.__init__(self, f"webhooks has no {name!r}", remedy=remedy)
        self.name = name


class SettingsError(TaskflowError):
    """A setting is missing or wrong."""


class LocalNotSetError(TaskflowError, LookupError):
    """A ``Local`` has no value here."""

    def __init__(self, name: str, what: str) -> None:
        self.name, self.what = name, what
        super().__init__(
            f"Local {name!r} {what}. Set it in a middleware or in init; in a test, inside "
            "`with taskflow.testing.local_values():`."
        )
