"""The templates of Flower with taskflow's: a tab in the navigation, and links from its pages to the dashboard's.

Flower has no place for additions, so its templates are read and extended where a known line stands.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tornado.template import DictLoader

from taskflow.errors import SettingsError

_TAB: Final = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'runs' %} active{% end %}" href="{{ reverse_url('runs') }}"
            {% if active_tab == 'runs' %}aria-current="page"{% end %}>Runs</a>
        </li>
      </ul>"""
_RUN: Final = """<div class="detail-actions">
      {% set run_page = handler.application.run_page(task.uuid, task.name) %}
      {% if run_page %}
      <a class="btn btn-primary" href="{{ run_page }}" rel="noreferrer">Run in taskflow</a>
      {% end %}"""
_WORKERS: Final = """<h1 id="workername">{{ worker['name'] }}</h1>
      {% if handler.application.links.base %}
      <a href="{{ handler.application.links.workers() }}" rel="noreferrer">Workers in taskflow</a>
      {% end %}"""
_CHANGES: Final[Mapping[str, tuple[str, str]]] = {
    "navbar.html": ("</ul>", _TAB),
    "task.html": ('<div class="detail-actions">', _RUN),
    "worker.html": ("<h1 id=\"workername\">{{ worker['name'] }}</h1>", _WORKERS),
}
"""For each template of Flower, the text that is replaced where it first stands, and its replacement."""


def load_templates(folder: Path) -> DictLoader:
    """Return Flower's templates with the additions, and taskflow's.

    Args:
        folder: Flower's templates.

    Raises:
        SettingsError: A template of this Flower lacks the text that an addition follows.
    """
    texts = {file.name: file.read_text() for file in folder.glob("*.html")}
    for name, (known, replacement) in _CHANGES.items():
        if known not in texts.get(name, ""):
            raise SettingsError(
                f"Flower's template {name} is not the one that `taskflow flower` extends. Install the version that "
                "celery-taskflow asks for: pip install 'flower>=2.2,<2.3'. `celery flower` works with any."
            )
        texts[name] = texts[name].replace(known, replacement, 1)
    own = Path(__file__).parent / "templates"
    return DictLoader(texts | {file.name: file.read_text() for file in own.glob("*.html")})
