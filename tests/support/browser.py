"""A headless Chromium, and what a page must not do in it."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from tests.support.servers import missing

Scheme = Literal["light", "dark"]
AXE: Final = Path(__file__).parents[1] / "dashboard" / "tour" / "axe.min.js"
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_AXE_OPTIONS: Final = "resultTypes: ['violations'], preload: false, rules: {'css-orientation-lock': {enabled: false}}"
_AXE_ALL: Final = f"axe.run({{{_AXE_OPTIONS}, runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']}})"
_NARROW_RULES: Final = (
    "color-contrast target-size button-name link-name label select-name summary-name aria-hidden-focus"
)
_AXE_NARROW: Final = f"axe.run({{resultTypes: ['violations'], preload: false, runOnly: {_NARROW_RULES.split()}}})"
"""The rules for another width or theme of the same page: contrast, sizes, and names that may be hidden."""


def find_chromium() -> str:
    """Return Debian's Chromium, or skip (in CI: fail) the test."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("chromium")
    assert found is not None
    return found


@contextmanager
def chromium() -> Generator[Browser]:
    """Start the browser."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


_BLANK_ROWS = """[...document.querySelectorAll("main tbody tr")].filter(
    (row) => row.checkVisibility() && !row.innerText.trim()).length"""


class Visit:
    """A window of a browser, and everything that goes wrong in it. Nothing in it moves (``prefers-reduced-motion``)."""

    def __init__(self, browser: Browser, width: int, scheme: Scheme = "light", *, has_script: bool = True) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport=_size(width), color_scheme=scheme, java_script_enabled=has_script, reduced_motion="reduce"
        )
        self.context.set_default_timeout(20_000)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self._view = (width, scheme)
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("response", lambda answer: self._note_status(answer.status, answer.url))

    def sign_in(self, address: str, name: str, password: str) -> None:
        """Sign in by the form."""
        self.page.goto(address)
        self.page.fill("#user", name)
        self.page.fill("#pass", password)
        self.page.click("button.primary")
        self.page.wait_for_selector("#pass", state="detached")  # else what follows may come before the session
        self.page.wait_for_selector("main h1")

    def turn(self, width: int, scheme: Scheme) -> None:
        """Make the window of another width, and its theme another one. The page is not loaded again."""
        if self._view == (width, scheme):
            return
        self._view = (width, scheme)
        self.page.set_viewport_size(_size(width))
        self.page.emulate_media(color_scheme=scheme)

    def look(self, *, is_whole: bool = True, picture: Path | None = None) -> None:
        """Note what is wrong with the page that is open: its width, and what axe finds.

        Args:
            is_whole: False: only what another width or theme can change, because the page was or will be looked at.
        """
        page = self.page
        self.measure()
        if picture is not None:
            picture.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=picture, full_page=True)
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text())
        for found in page.evaluate(_AXE_ALL if is_whole else _AXE_NARROW)["violations"]:
            if found["impact"] in ("serious", "critical"):
                places = "; ".join(node["html"][:120] for node in found["nodes"][:3])
                self._fault(f"{found['id']}: {found['help']}: {places}")

    def measure(self) -> None:
        """Note a page that scrolls sideways, and rows of tables of which nothing is shown."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self._fault(f"{wide} px wider than the window")
        blank = self.page.evaluate(_BLANK_ROWS)
        if blank:
            self._fault(f"{blank} rows of tables show nothing")

    def forgive(self, status: int) -> None:
        """Take away the notes of an answer that the test wanted: its status, and Chromium's message about it."""
        left = [each for each in self.faults if f" {status} " not in each]
        assert left != self.faults, f"no answer was a {status}"
        self.faults[:] = left

    def close(self) -> None:
        """Close the window."""
        self.context.close()

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.page.url} at {self._view[0]} px, {self._view[1]}: {text}")

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self._fault(f"console: {text}")

    def _note_status(self, status: int, url: str) -> None:
        if status >= 400:
            self._fault(f"{status} {url}")


def _size(width: int) -> ViewportSize:
    return {"width": width, "height": 844 if width < 500 else 950}
