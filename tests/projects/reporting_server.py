"""In place of the server of ``taskflow dev``: reports that it listens, unless the file CODE says ``refused``."""

import json
import signal
import sys
from pathlib import Path


def main() -> None:
    """Serve until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    sys.stdin.read()
    if Path("CODE").read_text() == "refused":
        sys.exit(1)
    print(f"\x1e{json.dumps({'kind': 'listening'})}", flush=True)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
