"""Errors of webhooks. None of their texts has a secret, a signature or a value of a body."""

from taskflow.errors.base import TaskflowError, id_shown, shown


class WebhookVerificationError(TaskflowError):
    """A delivery is not genuine, not fresh, or its source has no secret. The sender is only answered 401."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"A webhook was not verified: {reason}. Check the source's secret, and the sender's.")


class WebhookBodyError(TaskflowError):
    """The body of a verified delivery cannot be read. The sender is answered 400."""

    def __init__(self, reason: str, *, remedy: str = "Have the sender send JSON, or a form in UTF-8.") -> None:
        self.reason = reason
        super().__init__(f"A webhook could not be read: {reason}. {remedy}")


class DeliveryNotFoundError(TaskflowError):
    """The store has no such delivery of a webhook (any more)."""

    def __init__(self, delivery_id: str) -> None:
        self.delivery_id = delivery_id
        super().__init__(
            f"Delivery {id_shown(delivery_id)} does not exist, or is older than TASKFLOW_WEBHOOK_RETENTION. "
            "`taskflow webhooks deliveries` lists those that can be shown."
        )


class DeliveryQueryError(TaskflowError, ValueError):
    """An argument of ``webhooks.deliveries.list`` is not possible."""

    def __init__(self, option: str, value: object, remedy: str) -> None:
        self.option, self.value, self.remedy = option, value, remedy
        super().__init__(f"webhooks.deliveries.list({option}={shown(value)}) is not possible. {remedy}")
