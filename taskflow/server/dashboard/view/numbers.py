"""Numbers, shares and sizes as people read them: ``182,440``, ``1.2 M``, ``0.3 %``, ``418 KB``."""

from typing import Final

from taskflow.server.dashboard.view.durations import DASH, NO_BREAK

_MILLION: Final = 1_000_000
_KILO: Final = 1000


def number(value: int | None) -> str:
    """Return a number with commas; an en dash for None."""
    return DASH if value is None else f"{value:,}"


def short_number(value: int | None) -> str:
    """Return a number for a table: from a million on in millions. Its title is the exact ``number``."""
    if value is None or abs(value) < _MILLION:
        return number(value)
    return f"{value / _MILLION:,.1f}{NO_BREAK}M"


def share(part: float, whole: float) -> str:
    """Return a share in percent. 100 % only if all, 0 % only if none; an en dash of nothing."""
    if not whole:
        return DASH
    if part <= 0:
        return f"0{NO_BREAK}%"
    if part >= whole:
        return f"100{NO_BREAK}%"
    percent = part / whole * 100
    if percent < 0.1:
        return f"<0.1{NO_BREAK}%"
    return f"{min(percent, 99.9):.1f}{NO_BREAK}%"


def size(value: int | None) -> str:
    """Return a size in bytes with a unit of thousands; an en dash for None."""
    if value is None:
        return DASH
    if value < _KILO:
        return f"{value:,}{NO_BREAK}{'byte' if value == 1 else 'bytes'}"
    if round(value / _KILO) < _KILO:
        return f"{value / _KILO:.0f}{NO_BREAK}KB"
    return f"{value / _MILLION:,.1f}{NO_BREAK}MB"


def counted(value: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 run``, ``1,190 runs``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"
