"""Errors of schedules: nothing was written."""

from taskflow.errors.base import TaskflowError, id_shown, shown


class ScheduleError(TaskflowError, ValueError):
    """A schedule is not possible: its time zone, its period, its task or another option is wrong."""

    def __init__(self, what: str, *, option: str | None = None, value: object = None, remedy: str = "") -> None:
        self.what, self.option, self.value, self.remedy = what, option, value, remedy
        setting = "" if option is None else f" ({option}={shown(value)})"
        super().__init__(f"{what}{setting}. {remedy}".rstrip())


class CronError(ScheduleError):
    """A cron expression is wrong, or names no time that ever comes.

    Attributes:
        expression: The expression as it was given.
        reason: What is wrong with it, as a sentence.
        instead: What could be written instead, "" if that is not known.
    """

    def __init__(self, expression: object, reason: str, instead: str = "") -> None:
        self.expression, self.reason, self.instead = expression, reason, instead
        remedy = f"Instead: {instead}." if instead else "The fields are minute, hour, day of month, month and weekday."
        super().__init__(
            "That is not a possible cron expression", option="cron", value=expression, remedy=f"{reason} {remedy}"
        )


class ScheduleNotFoundError(TaskflowError, LookupError):
    """No schedule has that id."""

    def __init__(self, schedule_id: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(
            f"No schedule {id_shown(schedule_id)} in this environment. `taskflow schedules list` shows all; check "
            "TASKFLOW_ENVIRONMENT, too."
        )


class DeclaredScheduleError(TaskflowError):
    """A verb was to change a schedule that a task declares. Nothing was written."""

    def __init__(self, schedule_id: str, task_id: str) -> None:
        self.schedule_id, self.task_id = schedule_id, task_id
        super().__init__(
            f"Schedule {id_shown(schedule_id)} is declared by task {task_id!r}, so it changes with the code only. "
            "Change the declaration and start workers with it, or make another schedule by schedules.create(). "
            "schedules.deactivate() pauses it."
        )
