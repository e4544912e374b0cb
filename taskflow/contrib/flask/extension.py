"""The extension of a Flask app: joins its settings, its context, its command and its sessions to taskflow."""

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

from taskflow import tasks
from taskflow.contrib.flask.app_context import EXTENSION, HOOK, around_attempt
from taskflow.contrib.flask.command import taskflow_command
from taskflow.contrib.flask.site_settings import make_current
from taskflow.seams.transactions import TRANSACTIONS

if TYPE_CHECKING:
    from taskflow.contrib.sqlalchemy import Followed, OutboxTable


class Taskflow:
    """The extension. It keeps nothing of an app, so that one object serves several.

    Args:
        app: The app, or None to call ``init_app`` in its factory.
        session: Flask-SQLAlchemy's ``db.session``, a ``sessionmaker`` or a ``scoped_session``: a trigger in one of its
            transactions makes its run at the commit. See ``taskflow.contrib.sqlalchemy.follow``.
        outbox: The table of an outbox for these triggers. See there.
    """

    def __init__(
        self, app: Flask | None = None, *, session: "Followed | None" = None, outbox: "OutboxTable | None" = None
    ) -> None:
        self._session, self._outbox = session, outbox
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, *, session: "Followed | None" = None) -> None:
        """Join an app, after its configuration was read. The app that came last is the one of this process.

        Raises:
            SettingsError: A setting is wrong, in ``app.config`` or elsewhere, or another app of this process has other
                settings.
        """
        make_current(app)
        app.extensions[EXTENSION] = self
        tasks.middleware(HOOK)(around_attempt)
        app.cli.add_command(taskflow_command)
        followed = session if session is not None else self._session
        if followed is not None:
            from taskflow.contrib.sqlalchemy import follow

            follow(followed, outbox=self._outbox)
            sweep = TRANSACTIONS.sweep
            if self._outbox is not None and sweep is not None:
                TRANSACTIONS.sweep = partial(_in_context, app, sweep)
        if "sqlalchemy" in sys.modules:  # else nothing that this app has imported uses it
            from taskflow.contrib.sqlalchemy.engines import look_after

            look_after()


def _in_context(app: Flask, sweep: Callable[[Callable[[bytes], None]], int], make: Callable[[bytes], None]) -> int:
    """Look at the outbox in the app's context, in which Flask-SQLAlchemy knows its databases."""
    with app.app_context():
        return sweep(make)
