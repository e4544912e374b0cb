"""Hooks of mkdocs: files outside docs/ that pages link to are part of the site, below project/.

A page links to ../../ARCHITECTURE.md or ../../deploy/compose.yml as it would for a reader of the repository. The hooks
copy such files into the site and rewrite the links, both those of the pages and those of the copied pages.
"""

import os
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = "docs/"
PROJECT: Final = "project/"
CODE: Final = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
IN_NAV: Final = re.compile(rf"- ({PROJECT}\S+)")
LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that the pages, the navigation or another added page names."""
    waiting = [name for file in files.documentation_pages() for name in _linked(_path(file.src_uri))]
    waiting += [_path(uri) for uri in IN_NAV.findall(Path(config.config_file_path).read_text())]
    while waiting:
        name = waiting.pop()
        if not name.startswith(DOCS) and files.get_file_from_path(_uri(name)) is None and (ROOT / name).is_file():
            level = InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, _uri(name), abs_src_path=str(ROOT / name), inclusion=level))
            waiting += _linked(name) if name.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Rewrite the links that cross the border of docs/ to the places of their targets in the site."""
    here = page.file.src_uri

    def rewritten(link: re.Match[str]) -> str:
        target = os.path.relpath(_uri(_target(_path(here), link[1])), os.path.dirname(here))
        return f"]({target}{link[2] or ''})"

    parts = CODE.split(markdown)
    return "".join(part if CODE.fullmatch(part) else LINK.sub(rewritten, part) for part in parts)


def _linked(name: str) -> list[str]:
    """Return the paths in the repository that a page of it links to."""
    prose = CODE.sub("`", (ROOT / name).read_text())
    return [_target(name, link[1]) for link in LINK.finditer(prose)]


def _target(name: str, link: str) -> str:
    target = os.path.normpath(os.path.join(os.path.dirname(name), link))
    return f"{target}/README.md" if (ROOT / target / "README.md").is_file() else target


def _path(uri: str) -> str:
    """Return the path in the repository of a place in the site."""
    return uri.removeprefix(PROJECT) if uri.startswith(PROJECT) else DOCS + uri


def _uri(name: str) -> str:
    """Return the place in the site of a path in the repository."""
    return name.removeprefix(DOCS) if name.startswith(DOCS) else PROJECT + name
