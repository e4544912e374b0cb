"""The site's forms."""

from pydantic import Field

from workers.tasks import Greeting


class GreetingForm(Greeting):
    """The task's payload as the page accepts it, with limits, because people type it."""

    message: str = Field(min_length=1, max_length=200)
