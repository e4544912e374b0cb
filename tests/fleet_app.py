"""The nodes' Celery app in the tests: the one made from settings, with a visibility timeout when a test sets one."""

import os

from taskflow.fleet import app as app

if "TEST_VISIBILITY_TIMEOUT" in os.environ:
    seconds = float(os.environ["TEST_VISIBILITY_TIMEOUT"])
    app.conf.broker_transport_options |= {"visibility_timeout": seconds, "unacked_restore_interval": 1}
