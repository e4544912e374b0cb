"""The program of a fork server: imports modules once, and forks a process that runs a Python program per request.

Started by ``tests.support.fork_server``, with its socket's descriptor and the modules to import. A forked process leads
a session of its own, and has the arguments, the environment, the folder and the output that the request names. It holds
nothing of this server's but the imported modules. When the socket closes, the server ends.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_LONGEST: Final = 1 << 20


@dataclass(frozen=True)
class Request:
    """A process to become.

    Attributes:
        words: What follows ``python`` in a command line: ``-m MODULE``, ``-c CODE`` or a file, and the arguments.
    """

    words: list[str]
    environment: dict[str, str]
    folder: str

    def become(self) -> None:
        """Run the program in this process. Its ``SystemExit`` is this process's."""
        coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}  # Python's own (PEP 538)
        os.environ.clear()
        os.environ.update(coerced | self.environment)
        os.chdir(self.folder)
        sys.orig_argv[1:] = self.words
        kind, *rest = self.words
        if kind == "-m":
            sys.path[0] = self.folder
            sys.argv[1:] = rest[1:]
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.path[0] = ""
            sys.argv[:] = ["-c", *rest[1:]]
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), vars(main))
        else:
            sys.path[0] = str(Path(kind).resolve().parent)
            sys.argv[:] = self.words
            main = sys.modules["__main__"] = ModuleType("__main__")
            main.__file__ = str(Path(kind).absolute())
            exec(compile(Path(kind).read_bytes(), kind, "exec"), vars(main))


class ForkServer:
    """Forks at each request, and sends each process's exit code when it has ended."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, socket.socket]] = {}
        """The process id and the status socket of each process, by its descriptor (pidfd)."""

    def serve(self) -> Request | None:
        """Answer requests. Returns None when the socket has closed, and in a forked process its request."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._requests:
                    self._report_end(key.fd)
                elif (got := self._receive()) is None:
                    return None
                elif self._fork(*got[1:]):
                    return got[0]

    def _receive(self) -> "tuple[Request, tuple[int, int], socket.socket] | None":
        size = array.array("i").itemsize
        data, ancillary, _, _ = self._requests.recvmsg(_LONGEST, socket.CMSG_SPACE(3 * size))
        if not data:
            return None
        output, errors, status = array.array("i", ancillary[0][2])
        return Request(**json.loads(data)), (output, errors), socket.socket(fileno=status)

    def _fork(self, streams: tuple[int, int], status: socket.socket) -> bool:
        """Fork. Returns whether this is the new process, which says that it leads its session by sending its id."""
        pid = os.fork()
        if pid:
            for stream in streams:
                os.close(stream)
            pidfd = os.pidfd_open(pid)
            self._running[pidfd] = pid, status
            self._selector.register(pidfd, selectors.EVENT_READ)
            return False
        os.setsid()
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
            os.close(stream)
        self._forget_all()
        status.send(str(os.getpid()).encode())
        status.close()
        return True

    def _forget_all(self) -> None:
        self._selector.close()
        self._requests.close()
        for pidfd, (_, status) in self._running.items():
            os.close(pidfd)
            status.close()

    def _report_end(self, pidfd: int) -> None:
        pid, status = self._running.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, ended = os.waitpid(pid, 0)
        with status, contextlib.suppress(BrokenPipeError):  # nobody may ask any more
            status.send(str(os.waitstatus_to_exitcode(ended)).encode())


def main() -> None:
    """Import the modules that the arguments name, and serve the socket whose descriptor is the first argument."""
    descriptor, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    threads = os.listdir("/proc/self/task")
    assert len(threads) == 1, "a module has started a thread at its import: a fork would miss it"
    gc.collect()
    gc.freeze()  # a collection in a forked process would copy every page of these objects
    server: Any = ForkServer(socket.socket(fileno=int(descriptor)))
    request = server.serve()
    del server
    if request is not None:
        request.become()


if __name__ == "__main__":
    main()
