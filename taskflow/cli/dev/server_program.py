"""The server of ``taskflow dev`` with one state of the code, on the socket of the session."""

import logging
import os
import socket
import sys

from taskflow.app import TaskFlow
from taskflow.cli.application import load
from taskflow.dev.messages import Listening, Note, Refused, SignedIn, send
from taskflow.dev.orders import ServerOrder, read_order
from taskflow.errors import TaskflowError
from taskflow.server.app import create_app
from taskflow.server.dashboard.sign_in.first_user import FIRST, make_first_user
from taskflow.server.dashboard.sign_in.links import SignInLinks
from taskflow.server.serving import make_server


def main() -> None:
    """Serve until SIGTERM. Exit with 1 when the code can't be loaded."""
    order = ServerOrder.model_validate_json(read_order())
    sys.path.insert(0, os.getcwd())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        flow = load(order.app)
        _make_first_user(flow)
    except TaskflowError as error:
        send(Refused(why=str(error)))
        sys.exit(1)
    links = SignInLinks(order.secret, lambda: send(SignedIn()))
    with socket.socket(fileno=order.descriptor) as listener:
        server = make_server(create_app(flow, links), "", 0, lambda _: send(Listening()))
        server.run(sockets=[listener])
    flow.close()


def _make_first_user(flow: TaskFlow) -> None:
    password = make_first_user(flow)
    if password:
        send(Note(text=f"The first user of the dashboard is {FIRST} with the password {password} (shown only now)."))


if __name__ == "__main__":
    main()
