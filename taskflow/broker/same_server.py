"""The check that store and broker are one server, so that scripts may push tickets themselves."""

from taskflow.broker.urls import redis_address


def is_same_server(store_url: str, broker_url: str) -> bool:
    """Whether both addresses name one Redis: same kind of socket, place, database and credentials.

    Errs to False: tickets are then published through kombu, which is also right for one server.
    """
    store = redis_address(store_url)
    return store is not None and store == redis_address(broker_url)
