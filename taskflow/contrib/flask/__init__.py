"""taskflow in a Flask site: ``Taskflow(app)``.

Settings are in ``app.config["TASKFLOW_..."]``, runs execute in the app's context, ``flask taskflow`` is the command,
and a trigger in a followed SQLAlchemy session makes its run when that is committed.
"""

from taskflow.contrib.flask.extension import Taskflow
from taskflow.contrib.flask.serving import asgi

__all__ = ["Taskflow", "asgi"]
