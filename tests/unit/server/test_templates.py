"""Templates of the dashboard work without inline script and style, and never switch escaping off."""

import re
from importlib.resources import files
from typing import Final

import pytest

_TEMPLATES: Final = sorted(
    path.name for path in (files("taskflow.server.dashboard") / "templates").iterdir() if path.name.endswith(".html")
)
_FORBIDDEN: Final = re.compile(r"\sstyle=|hx-on|js:|\|\s*safe|<script(?![^>]*src=)|<style|\sonclick|autoescape")


@pytest.mark.parametrize("name", _TEMPLATES)
def test_a_template_has_nothing_that_the_policy_forbids(name: str) -> None:
    """An inline style or script is dropped by the browser, in silence; ``|safe`` would let user data be markup."""
    text = (files("taskflow.server.dashboard") / "templates" / name).read_text()
    assert _FORBIDDEN.findall(text) == []


@pytest.mark.parametrize("name", _TEMPLATES)
def test_every_form_that_posts_carries_the_token(name: str) -> None:
    """A form without it would be refused."""
    text = (files("taskflow.server.dashboard") / "templates" / name).read_text()
    forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL)
    assert all("csrf()" in form for form in forms if "root_url('signin')" not in form)
