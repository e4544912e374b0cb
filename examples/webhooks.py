"""A webhook task in one file: notes pushes to a GitHub repository.

``TASKFLOW_TASKS=examples.webhooks taskflow server``, and a worker with the same tasks. See the README beside it.
"""

from pydantic import BaseModel

from taskflow import Context, WebhookEvent, logger, webhooks


class Repository(BaseModel):
    """The repository of a push."""

    full_name: str


class Push(BaseModel):
    """The part of a push that the task needs. GitHub sends more."""

    ref: str
    after: str
    repository: Repository


@webhooks.task(
    id="github-push",
    source=webhooks.GitHub(secret=webhooks.env("GITHUB_WEBHOOK_SECRET")),
    events=["push"],
    max_body="25MB",
)
async def github_push(event: WebhookEvent[Push], ctx: Context) -> str:
    """Note a push. Safe to repeat."""
    push = event.body
    logger.info("pushed", repository=push.repository.full_name, ref=push.ref, delivery=event.delivery_id)
    return f"{push.repository.full_name}@{push.after[:7]} (run {ctx.run.id})"
