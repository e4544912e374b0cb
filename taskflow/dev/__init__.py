"""The session of ``taskflow dev``: workers, server, reload and one log in one terminal.

The process of the terminal (``session.py``) imports no code of the user's, so that a broken edit can't end it. Workers
and server are processes of their own, one of each for each state of the code. They report to the session by messages on
their standard output (``messages.py``).
"""
