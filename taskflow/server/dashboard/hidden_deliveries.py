"""Deliveries of webhooks as pages may show them: without the values at the paths of TASKFLOW_REDACT.

The paths are those of the payload of the run, ``$.body.card``, and those of the body itself, ``$.card``.
"""

from dataclasses import replace

from taskflow.definition.documents.exact_json import compact, is_object, read_exactly
from taskflow.definition.documents.secret_texts import LOCK, NO_SECRETS
from taskflow.definition.webhooks.deliveries import Delivery
from taskflow.server.dashboard.view.reader import READER


def shown_delivery(delivery: Delivery) -> Delivery:
    """Return a delivery as it may be shown. A body without paths, because it is no JSON, is hidden as a whole."""
    hiding = READER.get().hiding
    if not hiding or delivery.body is None:
        return delivery
    secrets = NO_SECRETS
    try:
        body, headers = read_exactly(delivery.body), dict(delivery.headers)
        secrets = hiding.secrets(({"body": body, "headers": headers}, body))
        shown = hiding.value({"body": hiding.value(body), "headers": headers})
    except (ValueError, RecursionError):
        shown = LOCK
    if not is_object(shown) or not is_object(shown["headers"]):
        return replace(delivery, body=LOCK, headers=dict.fromkeys(delivery.headers, LOCK))
    cleared = {name: secrets.scrub(str(value)) for name, value in shown["headers"].items()}
    return replace(delivery, body=compact(shown["body"]), headers=cleared)
