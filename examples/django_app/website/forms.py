"""What the site's forms accept."""

from pydantic import Field

from workers.tasks import Greeting


class GreetingForm(Greeting):
    """The task's payload as the page accepts it: people type it, so it has limits."""

    message: str = Field(min_length=1, max_length=200)
