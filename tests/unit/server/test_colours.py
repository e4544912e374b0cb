"""The colours of ``app.css`` have the contrasts of WCAG 2.2 on every ground on which they are used."""

import re
from importlib.resources import files
from typing import Final

import pytest

_CSS: Final = (files("taskflow.server.dashboard") / "assets" / "app.css").read_text()
_COLOURS: Final = {
    name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", _CSS)
}
_FAMILIES: Final = ("grey", "blue", "violet", "amber", "green", "red")
_GROUNDS: Final = ("surface", "side", "sunken", "raised", "hover", "selected", *(f"{each}-tint" for each in _FAMILIES))
_TEXTS: Final = ("ink", "ink-2", "ink-3")
_THEMES: Final = (0, 1)


def _luminance(colour: str) -> float:
    """Return the relative luminance, by WCAG's definition."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str, theme: int) -> float:
    lighter, darker = sorted((_luminance(_COLOURS[one][theme]), _luminance(_COLOURS[other][theme])), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", _THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("text", [*_TEXTS, *(f"{each}-ink" for each in _FAMILIES)])
def test_text_has_a_contrast_of_four_and_a_half_on_every_ground(text: str, theme: int) -> None:
    """Families stand on their own tint, neutral inks on all."""
    own = text.replace("-ink", "-tint")
    grounds = _GROUNDS if text in _TEXTS else (*_GROUNDS[:6], own)
    found = {ground: round(_contrast(text, ground, theme), 2) for ground in grounds}
    assert {ground: ratio for ground, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", _THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("fill", [*(f"{each}-fill" for each in _FAMILIES), "line-control", "focus"])
def test_graphics_have_a_contrast_of_three(fill: str, theme: int) -> None:
    """Bars, edges of fields and the focus are seen without good eyes."""
    found = {ground: round(_contrast(fill, ground, theme), 2) for ground in ("surface", "sunken", "selected", "raised")}
    assert {ground: ratio for ground, ratio in found.items() if ratio < 3} == {}


@pytest.mark.parametrize("theme", _THEMES, ids=["light", "dark"])
def test_text_on_buttons_is_readable(theme: int) -> None:
    """A solid button is the primary action."""
    assert _contrast("ink-inverse", "solid", theme) >= 4.5
