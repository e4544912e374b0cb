"""Whether the store's scripts may push tickets onto the broker's lists themselves."""

from taskflow.broker.urls import redis_address


def is_same_server(store_url: str, broker_url: str) -> bool:
    """Whether both addresses name one Redis: same kind of socket, place, database and credentials.

    Errs to False: tickets are published through kombu then, which is right for one server, too.
    """
    store = redis_address(store_url)
    return store is not None and store == redis_address(broker_url)
