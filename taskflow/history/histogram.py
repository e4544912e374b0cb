"""Histograms of durations: the number of durations in each of some fixed buckets, four for each doubling. No I/O.

A histogram is kept as a JSON object of numbers by bucket. Buckets without a duration are left out.
"""

import json
import math
from collections import Counter
from typing import Final

from pydantic_core import from_json

_PER_DOUBLING: Final = 4
_LAST: Final = 44 * _PER_DOUBLING
"""The bucket of everything longer than five hundred years."""

Histogram = Counter[int]


def bucket_of(ms: int) -> int:
    """Return the bucket of a duration: 0 for less than a millisecond."""
    return 0 if ms < 1 else min(1 + math.floor(_PER_DOUBLING * math.log2(ms)), _LAST)


def read(text: str) -> Histogram:
    """Return the histogram of its stored form."""
    return Counter({int(bucket): count for bucket, count in json.loads(text).items()})


def add(histogram: Histogram, text: str) -> None:
    """Add a stored histogram to another one: a period has some thousand of them."""
    for bucket, count in from_json(text).items():
        histogram[int(bucket)] += count


def written(histogram: Histogram) -> str:
    """Return the stored form."""
    return json.dumps({str(bucket): histogram[bucket] for bucket in sorted(histogram)}, separators=(",", ":"))


def quantile(histogram: Histogram, share: float) -> float | None:
    """Return the duration in ms that a share of all durations does not exceed, within 9 %. None without durations."""
    left = share * histogram.total()
    for bucket in sorted(histogram):
        count = histogram[bucket]
        if left <= count:
            return 0.0 if bucket == 0 else 2 ** ((bucket - 1 + left / count) / _PER_DOUBLING)
        left -= count
    return None
