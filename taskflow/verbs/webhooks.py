"""``webhooks``: declares webhook tasks, names their sources, and finds and replays deliveries."""

import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.registry import declared
from taskflow.definition.task_definition import TaskDefinition
from taskflow.definition.webhooks import presets, secrets, shared, signed, standard, twilio
from taskflow.definition.webhooks.challenge import Challenge, Subscription
from taskflow.definition.webhooks.declaration import DEFAULT_MAX_BODY, declare_webhook
from taskflow.definition.webhooks.deliveries import Delivery, DeliveryPage, DeliveryStatus, WebhookEndpoint
from taskflow.definition.webhooks.event import WebhookEvent
from taskflow.definition.webhooks.source import Source
from taskflow.errors import DefinitionError, DeliveryNotFoundError, DeliveryQueryError, UnknownSourceError
from taskflow.seams.webhooks import DeliveryQuery
from taskflow.suggestions import did_you_mean, near_miss
from taskflow.verbs.current import engine
from taskflow.verbs.declaring.keywords import TaskKeywords
from taskflow.verbs.decorator import task
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.task import FunctionTask

BodyT = TypeVar("BodyT")
ResultT = TypeVar("ResultT")
Rest = ParamSpec("Rest")
Given = ParamSpec("Given")
MOST_LISTED: Final = 1000
_OWN: Final = ("id", "source", "events", "max_body")


class WebhookDecorator(Protocol):
    """The decorator that ``webhooks.task(...)`` makes, for functions that take a ``WebhookEvent`` first."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[WebhookEvent[BodyT], Rest], Coroutine[Any, Any, ResultT]]
    ) -> FunctionTask[
        WebhookEvent[BodyT], ResultT, Concatenate[WebhookEvent[BodyT], Rest], Coroutine[Any, Any, ResultT]
    ]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[WebhookEvent[BodyT], Rest], ResultT]
    ) -> FunctionTask[WebhookEvent[BodyT], ResultT, Concatenate[WebhookEvent[BodyT], Rest], ResultT]: ...


class Deliveries:
    """Deliveries that the server has verified. Their records stay for ``TASKFLOW_WEBHOOK_RETENTION``."""

    def list(
        self,
        *,
        task: str | None = None,
        status: DeliveryStatus | str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> DeliveryPage:
        """Return deliveries, newest first.

        Args:
            task: The id of a webhook task. Default: all.
            status: ``"ACCEPTED"`` or ``"FILTERED"``.
            limit: Most deliveries of the page, 1 to 1000.
            cursor: The ``cursor`` of the page before.

        Raises:
            DeliveryQueryError: An argument is not possible.
            BlockingCallError: An event loop runs in this thread; await ``webhooks.deliveries.alist``.
        """
        refuse_in_event_loop("webhooks.deliveries.list", "webhooks.deliveries.alist")
        return engine().webhooks.list(_query(task, status, limit, cursor))

    async def alist(
        self,
        *,
        task: str | None = None,
        status: DeliveryStatus | str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> DeliveryPage:
        """Return deliveries, newest first. See ``list``."""
        return await engine().webhooks.alist(_query(task, status, limit, cursor))

    def retrieve(self, delivery_id: str) -> Delivery:
        """Return a delivery with its raw body.

        Raises:
            DeliveryNotFoundError: There is none (any more).
            BlockingCallError: An event loop runs in this thread; await ``webhooks.deliveries.aretrieve``.
        """
        refuse_in_event_loop("webhooks.deliveries.retrieve", "webhooks.deliveries.aretrieve")
        return engine().webhooks.retrieve(_checked_id(delivery_id))

    async def aretrieve(self, delivery_id: str) -> Delivery:
        """Return a delivery with its raw body. See ``retrieve``."""
        return await engine().webhooks.aretrieve(_checked_id(delivery_id))

    def replay(self, delivery_id: str) -> RunHandle[object]:
        """Make another run of a delivery, as the task is declared now.

        A body that was too large for the record is that of the delivery's run.

        Raises:
            DeliveryNotFoundError: There is none (any more).
            WebhookBodyError: Its body was not kept, because the task's filter left it out.
            PayloadError: The body does not fit the task (any more).
            TaskNotFoundError: The task is not declared in this process.
            BlockingCallError: An event loop runs in this thread; await ``webhooks.deliveries.areplay``.
        """
        refuse_in_event_loop("webhooks.deliveries.replay", "webhooks.deliveries.areplay")
        return RunHandle(engine().webhooks.replay(_checked_id(delivery_id)))

    async def areplay(self, delivery_id: str) -> RunHandle[object]:
        """Make another run of a delivery. See ``replay``."""
        return RunHandle(await engine().webhooks.areplay(_checked_id(delivery_id)))


def _public_names(webhooks: "Webhooks") -> list[str]:
    return [name for name in dir(webhooks) if not name.startswith("_")]


def _needs_source(declare: Callable[Given, ResultT]) -> Callable[Given, ResultT]:
    """Refuse a call without ``source`` as other wrong options are refused."""

    @wraps(declare)
    def checked(*args: Given.args, **options: Given.kwargs) -> ResultT:
        if "source" not in options:
            remedy = "Use one of webhooks: source=webhooks.Stripe(secret=...)."
            near = [option for option in options if near_miss(option, ("source",))]
            remedy = f"Did you mean 'source' instead of {near[0]!r}?" if near else remedy
            raise DefinitionError("A webhook task needs a source", option="source", value=None, remedy=remedy)
        return declare(*args, **options)

    return checked


class Webhooks:
    """Webhook tasks: declared here, reached at ``/webhooks/<id>`` of ``taskflow server``."""

    StandardWebhooks = standard.StandardWebhooks
    Stripe = presets.Stripe
    GitHub = presets.GitHub
    GitLab = shared.GitLab
    Slack = presets.Slack
    Shopify = presets.Shopify
    Twilio = twilio.Twilio
    Linear = presets.Linear
    Discord = presets.Discord
    Hmac = signed.Hmac
    PublicKey = signed.PublicKey
    SharedSecret = shared.SharedSecret
    SecretUrl = shared.SecretUrl
    Challenge = Challenge
    Subscription = Subscription
    env = staticmethod(secrets.env)

    def __init__(self) -> None:
        self.deliveries = Deliveries()

    if not TYPE_CHECKING:  # else every name would be one

        def __getattr__(self, name: str) -> object:
            raise UnknownSourceError(name, did_you_mean(name, _public_names(self), "names"))

    @_needs_source
    def task(
        self,
        *,
        source: Source,
        id: str | None = None,
        events: str | Sequence[str] = (),
        max_body: int | str = DEFAULT_MAX_BODY,
        **options: Unpack[TaskKeywords],
    ) -> WebhookDecorator:
        """Declare a function as a task whose runs are made by deliveries of a webhook.

        The function takes a ``WebhookEvent[Body]`` first, where ``Body`` is a model, a dataclass, a ``TypedDict`` or
        plain JSON, and then what other tasks take.

        Args:
            source: The sender, for example ``webhooks.GitHub(secret=...)``.
            id: As for ``@task``.
            events: Types of events that make runs; ``*`` stands for any text. Default: all.
            max_body: Most bytes of a body, a number or text such as ``"25MB"``. Default: 1 MB.
            options: Those of ``@task``.

        Raises:
            DefinitionError: An option is not possible, or the function does not take a ``WebhookEvent``.
        """
        unknown = [option for option in options if option not in TaskKeywords.__annotations__]
        if unknown:
            remedy = did_you_mean(unknown[0], (*_OWN, *TaskKeywords.__annotations__), "its options")
            raise DefinitionError("Unknown option of @webhooks.task", option=unknown[0], value="...", remedy=remedy)
        declaration = declare_webhook(source, events, max_body)

        def declare(function: Callable[..., object]) -> FunctionTask[object, object, ..., object]:
            made = task(id=id, **options)(function)
            definition = replace(made.definition, webhook=declaration)
            _check_payload(definition)
            declared.add(definition)
            return FunctionTask(definition)

        return cast("WebhookDecorator", declare)

    def endpoints(self) -> Sequence[WebhookEndpoint]:
        """Return the addresses of the webhook tasks that this process declares, by task. No I/O with the store."""
        return engine().webhooks.endpoints()


def _check_payload(definition: TaskDefinition) -> None:
    """Refuse a function that does not take an event. One that cannot be resolved yet is not checked."""
    remedy = "Write def f(event: WebhookEvent[dict[str, Any]]), or with a model in place of the dict."
    what = f"Webhook task {definition.id!r} does not take a WebhookEvent"
    if definition.payload is None:
        raise DefinitionError(what, option="function", value=definition.qualname, remedy=remedy)
    try:
        annotated = definition.payload.annotation.resolve()
    except DefinitionError:
        return
    if not (inspect.isclass(annotated) and issubclass(annotated, WebhookEvent)):
        raise DefinitionError(what, option="annotation", value=definition.payload.annotation.text, remedy=remedy)


def _query(task_id: object, status: DeliveryStatus | str | None, limit: object, cursor: object) -> DeliveryQuery:
    if task_id is not None and (not isinstance(task_id, str) or not task_id):
        raise DeliveryQueryError("task", task_id, "Use the id of a webhook task.")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_LISTED:
        raise DeliveryQueryError("limit", limit, f"Use 1 to {MOST_LISTED}, and the page's cursor for more.")
    if cursor is not None and not isinstance(cursor, str):
        raise DeliveryQueryError("cursor", cursor, "Pass the cursor of a page, or leave it out.")
    try:
        wanted = None if status is None else DeliveryStatus(status)
    except ValueError:
        raise DeliveryQueryError("status", status, f"It is one of {', '.join(DeliveryStatus)}.") from None
    return DeliveryQuery(task_id, wanted, limit, cursor)


def _checked_id(delivery_id: object) -> str:
    if not isinstance(delivery_id, str):
        raise DeliveryNotFoundError(str(delivery_id))
    return delivery_id


webhooks: Final = Webhooks()
