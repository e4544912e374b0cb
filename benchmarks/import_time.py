"""Measure ``import taskflow`` against the import of pydantic and pydantic-settings, in pairs of fresh interpreters."""

import resource
import statistics
import subprocess
import sys

OURS = "import taskflow"
THEIRS = "import pydantic, pydantic_settings"


def import_ms(statement: str) -> float:
    """Return the CPU milliseconds of a fresh interpreter that executes a statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(pairs: int = 11) -> dict[str, float]:
    """Return the medians of both imports."""
    for statement in (OURS, THEIRS):
        import_ms(statement)  # the first one writes the bytecode
    times = [(import_ms(OURS), import_ms(THEIRS)) for _ in range(pairs)]
    ours, theirs = zip(*times, strict=True)
    return {"import ms": statistics.median(ours), "pydantic import ms": statistics.median(theirs)}


if __name__ == "__main__":
    found = measure()
    ratio = found["import ms"] / found["pydantic import ms"]
    print(f"{OURS}: {found['import ms']:.0f} ms of CPU, {ratio:.2f} times {THEIRS!r}; target: at most 1.5")
