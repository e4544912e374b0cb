"""The check that store and broker are one server, and the name of the broker's list onto which scripts push tickets."""

from bisect import bisect
from collections.abc import Mapping, Sequence
from typing import Final, cast

from taskflow.broker.urls import redis_address

# kombu's own defaults (kombu.transport.redis.Channel); a test compares them.
_PRIORITY_STEPS: Final = (0, 3, 6, 9)
_SEPARATOR: Final = "\x06\x16"


def is_same_server(store_url: str, broker_url: str) -> bool:
    """Whether both addresses name one Redis: same kind of socket, place, database and credentials.

    Errs to False: tickets are published through kombu then, which is right for one server, too.
    """
    store = redis_address(store_url)
    return store is not None and store == redis_address(broker_url)


def direct_list_name(queue: str, transport_options: Mapping[str, object]) -> str:
    """Name the list onto which kombu's Redis transport pushes messages of priority 0, the highest.

    Args:
        transport_options: Celery's ``broker_transport_options``; ``global_keyprefix``, ``priority_steps`` and ``sep``
            are honoured.
    """
    steps = cast(Sequence[int], transport_options.get("priority_steps") or _PRIORITY_STEPS)
    step = steps[bisect(steps, 0) - 1]  # kombu's own choice: the last step when there is no step 0
    name = f"{queue}{transport_options.get('sep') or _SEPARATOR}{step}" if step else queue
    return f"{transport_options.get('global_keyprefix') or ''}{name}"
