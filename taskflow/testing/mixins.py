"""For ``unittest``, and so for Django's test cases."""

import unittest

from taskflow.testing.in_process.stage import InlineStage
from taskflow.testing.session import inline


class InlineMixin(unittest.TestCase):
    """Executes the runs of each test here and now: ``class OrderTests(InlineMixin, django.test.TestCase)``.

    ``setUp`` and ``tearDown`` are within. See ``taskflow.testing.inline``.

    Attributes:
        taskflow: The application of the test.
    """

    taskflow: InlineStage

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test."""
        with inline() as self.taskflow:
            return super().run(result)
