"""Keeps the histories of ``history_maker`` for all who need one: it is made again when it is old or made differently.

They lie in the user's cache directory, ``XDG_CACHE_HOME``, or else in that of the environment of this Python. A million
runs take 1.3 GB, of which only the newest is kept.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks import history_maker, history_slices
from taskflow import history

_FICLONE: Final = 0x40049409
"""Has a file share the blocks of another until one of them changes (https://man7.org/linux/man-pages/man2/ioctl_ficlone.2.html)."""


def kept_history(environment: str, runs: int) -> Path:
    """Return a history of the last thirty days, which nobody may write."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path(sys.prefix, ".cache"), "taskflow", "histories")
    name = f"{environment}-{runs}"
    path = folder / f"{name}-{_source()}.db"
    if not path.exists():
        unfinished = [part for part in folder.glob(f"{name}-*.part*") if time.time() - part.stat().st_mtime > 3600]
        for old in (*folder.glob(f"{name}-*.db"), *unfinished):
            old.unlink(missing_ok=True)
    return history_maker.made_history(path, environment, runs)


def copy_history(source: Path, target: Path) -> Path:
    """Copy a history for one who writes it, without its blocks if that is possible. A link would change with both."""
    with source.open("rb") as known, target.open("wb") as new:
        try:
            fcntl.ioctl(new.fileno(), _FICLONE, known.fileno())
        except OSError:  # another file system, or one that cannot share blocks
            shutil.copyfile(source, target)
    return target


def _source() -> str:
    """Return a digest of the code that makes a history: the schema, its writer and the maker."""
    package = Path(history.__file__).parent
    files = [*map(Path, (history_maker.__file__, history_slices.__file__)), *package.glob("*.py")]
    files += package.glob("migrations/versions/*.py")
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]
