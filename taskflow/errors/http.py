"""Errors of the client of a server: the server did not answer, refused, or does not have what a verb needs."""

from taskflow.errors.base import TaskflowError
from taskflow.errors.servers import StoreUnavailableError


class ServerUnavailableError(StoreUnavailableError):
    """The server at TASKFLOW_API_URL did not answer, or answered that it cannot now. The request was tried again.

    Attributes:
        url: The server.
        status: The status of its last answer, 0 when there was none.
        may_exist: Whether what was requested may have been done although no answer came. The tries of one call carry
            one key, so that they do it once; a new call with an idempotency key of the caller's is safe, too.
    """

    def __init__(self, url: str, reason: str, *, status: int = 0, may_exist: bool = False) -> None:
        self.url, self.status = url, status
        super().__init__(reason, may_exist=may_exist)
        fate = (
            " What was requested may have been done: look before you repeat it without an idempotency key."
            if may_exist
            else ""
        )
        self.args = (
            f"The server at {url} does not answer: {reason.rstrip('.')}.{fate} Check that `taskflow server` is up "
            "there, and TASKFLOW_API_URL with `taskflow doctor`.",
        )


class ApiError(TaskflowError):
    """The server refused a request for a reason that has no error of its own here.

    Attributes:
        status: The status of its answer.
        code: Its reason, for programs.
        reason: Its message.
    """

    def __init__(self, status: int, code: str, reason: str) -> None:
        self.status, self.code, self.reason = status, code, reason
        super().__init__(f"The server refused the request ({status} {code}): {reason}")


class KeyRefusedError(ApiError):
    """The server does not know the key, or the key may not do this."""

    def __init__(self, status: int, code: str, reason: str, url: str) -> None:
        self.url = url
        super().__init__(status, code, reason)
        self.args = (
            f"The server at {url} refused the key ({status} {code}): {reason.rstrip('.')}. Set TASKFLOW_API_KEY to a "
            "key that `taskflow keys create` has printed there, for the environment that you mean.",
        )


class ApiAddressError(TaskflowError):
    """No taskflow server that this version can talk to answers at TASKFLOW_API_URL."""

    def __init__(self, url: str, answer: str) -> None:
        self.url, self.answer = url, answer
        super().__init__(
            f"At {url} no taskflow server answers that this version can talk to: {answer.rstrip('.')}. "
            "TASKFLOW_API_URL is the server's address without a path of its API, for example "
            "https://tasks.example.com; server and client must be of one version, or nearly."
        )


class NotOverHttpError(TaskflowError):
    """A verb or command needs the run store itself, and this process is a client of a server."""

    def __init__(self, verb: str, url: str) -> None:
        self.verb, self.url = verb, url
        super().__init__(
            f"{verb} needs the run store itself and does not go over HTTP, but TASKFLOW_API_URL is set ({url}), so "
            "that this process talks to that server only. Unset TASKFLOW_API_URL where the store can be reached."
        )
