"""In place of the workers of ``taskflow dev``: reports as they do, and has a run that never ends by itself.

The state of the code is the file CODE of the working folder: ``good``, ``refused`` or ``trouble``.
"""

import json
import signal
import sys
from pathlib import Path

MARK = "\x1e"


def report(**message: object) -> None:
    """Report to the session."""
    print(f"{MARK}{json.dumps(message)}", flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    numbers = {signal.SIGTERM, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    sys.stdin.read()
    code = Path("CODE").read_text()
    if code == "refused":
        report(kind="refused", why="jobs.py:1: SyntaxError")
        sys.exit(1)
    facts = {"environment": "dev", "store_url": "", "shards": 1, "home": "", "is_embedded": False, "version": None}
    report(kind="loaded", tasks=[code], nodes=["small-1x.process"], warnings=[], **facts)
    report(kind="note", text="the node ended") if code == "trouble" else report(kind="ready")
    while signal.sigwait(numbers) == signal.SIGUSR2:
        report(kind="retired")


if __name__ == "__main__":
    main()
