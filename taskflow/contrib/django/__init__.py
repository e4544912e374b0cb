"""taskflow in a Django site: ``INSTALLED_APPS += ["taskflow.contrib.django"]``.

Settings are in ``TASKFLOW = {...}``, tasks in the ``tasks.py`` of each app, and a trigger inside a transaction makes
its run when that is committed. This module imports nothing of Django, because the command looks for a site with it.
"""
