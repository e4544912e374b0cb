"""The site that mkdocs makes of the pages: complete, of the structure that the repository shows, self-contained."""

import os
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest
from markdown_it import MarkdownIt

import taskflow
import taskflow.contrib.django
import taskflow.contrib.fastapi
import taskflow.contrib.flask
import taskflow.contrib.sqlalchemy
import taskflow.server
import taskflow.testing

ROOT: Final = Path(__file__).parents[2]
COUNTED: Final = ("li", "table", "tr", "h2", "h3", "pre")
PAGES: Final = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
FROM_DOCSTRINGS: Final = Path("reference/python")


class Article(HTMLParser):
    """The tags that are counted, of the article of a page; line numbers and the like are not of the article."""

    def __init__(self) -> None:
        super().__init__()
        self.is_inside = False
        self.tags: dict[str, int] = dict.fromkeys(COUNTED, 0)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count a tag inside the article."""
        self.is_inside |= tag == "article"
        if self.is_inside and tag in self.tags:
            self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        """End with the article."""
        self.is_inside &= tag != "article"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once, strictly: a page outside of the navigation, a link or an anchor that is wrong fails it."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, f"{done.stderr}\nIf mkdocs or a plugin is missing: make setup"
    return folder


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a site strictly, as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config), "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def built(site: Path, page: Path) -> str:
    """Return the HTML of a page."""
    folder = page.parent if page.name == "index.md" else page.with_suffix("")
    return (site / folder / "index.html").read_text()


@pytest.mark.timeout(270)
def test_pages_have_the_same_structure_in_the_site_and_in_the_repository(site: Path) -> None:
    """The two read lists, blocks and tables by different rules: a list that follows a line of text is none in one."""
    different: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for page in [page for page in PAGES if page.parent != FROM_DOCSTRINGS]:
        seen = Article()
        seen.feed(built(site, page))
        tokens = MarkdownIt("commonmark").enable("table").parse((ROOT / "docs" / page).read_text())
        opened = ["pre" if token.tag == "code" else token.tag for token in tokens if token.nesting >= 0]
        expected = {tag: opened.count(tag) for tag in COUNTED}
        if seen.tags != expected:
            different[str(page)] = (seen.tags, expected)
    assert different == {}


@pytest.mark.timeout(270)
def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    """A reader without the internet sees all of it, and no other host learns of a reader."""
    loaded = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*(?:src|href|srcset)=["']?(?:https?:)?//[^>]*""")
    found = {match for page in site.rglob("*.html") for match in loaded.findall(page.read_text())}
    assert found == set()
    styles = "".join(sheet.read_text() for sheet in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", styles)


@pytest.mark.timeout(270)
def test_files_outside_of_the_documentation_that_pages_link_to_are_in_the_site(site: Path) -> None:
    """A link that leads out of docs/ works in the repository and in the site."""
    assert (site / "project" / "ARCHITECTURE" / "index.html").is_file()
    assert 'href="project/ARCHITECTURE/' in (site / "index.html").read_text()


@pytest.mark.timeout(270)
def test_every_public_name_is_in_the_reference(site: Path) -> None:
    """With its docstring: a name that is exported and on no page is one that users learn of by chance."""
    pages = [built(site, page) for page in PAGES if page.parent == FROM_DOCSTRINGS]
    headings = [title for page in pages for title in re.findall(r"<h[23] id=.*?</h[23]>", page, re.DOTALL)]
    named = {word for title in headings for word in re.sub(r"<[^>]+>", " ", unescape(title)).split()}
    public = {*taskflow.__all__, *taskflow.testing.__all__, *taskflow.server.__all__}
    for framework in (
        taskflow.contrib.django,
        taskflow.contrib.fastapi,
        taskflow.contrib.flask,
        taskflow.contrib.sqlalchemy,
    ):
        public |= {*framework.__all__}
    assert public - named == set()


@pytest.mark.timeout(270)
def test_links_to_nothing_fail_the_build(tmp_path: Path) -> None:
    """The build of `make test` is strict about pages, sections, files outside of the documentation and other roots."""
    (tmp_path / "docs").mkdir()
    links = "[a](nowhere.md) [b](#nowhere) [c](../NOWHERE.md) [d](/index.md)"
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n{links}\n")
    config = f"INHERIT: {ROOT}/mkdocs.yml\nhooks: [{ROOT}/scripts/site_hooks.py]\nplugins: []\nnav: [index.md]\n"
    (tmp_path / "mkdocs.yml").write_text(config)
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert (done.returncode, done.stderr.count("WARNING -  Doc file")) == (1, 4), done.stderr
