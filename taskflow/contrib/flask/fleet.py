"""The Celery app of a Flask site, which ``taskflow worker`` serves: ``celery -A taskflow.contrib.flask.fleet``."""

from taskflow import TaskFlow
from taskflow.contrib.sites import FLASK_FLEET, enter_site
from taskflow.errors import SettingsError

if enter_site() != FLASK_FLEET:
    raise SettingsError(
        "There is no Flask app with taskflow here. Call Taskflow(app) in it, and name it: TASKFLOW_FLASK_APP=shop:app "
        "or FLASK_APP, in the folder from which you call."
    )

flow = TaskFlow().set_default()
app = flow.celery
