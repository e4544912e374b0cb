"""The JSON viewer: containers are ``<details>``, so that folding needs no script."""

import json
from collections.abc import Sequence
from typing import Final, cast

from markupsafe import Markup, escape

from taskflow.definition.documents.exact_json import Digits, read_exactly
from taskflow.definition.documents.secret_texts import LOCK
from taskflow.server.dashboard.view.reader import READER
from taskflow.texts import visible

_LONGEST: Final = 256 * 1024
"""Bytes of a document beyond which only its beginning is shown."""
_BEGINNING: Final = 4096
_LONGEST_STRING: Final = 200
_MOST_ITEMS: Final = 50
_MOST_VALUES: Final = 3000
"""Values of one tree. A document of 256 KB may have a hundred thousand, which take seconds."""
_DEEPEST: Final = 60


def json_tree(value: object, *, is_public: bool = False) -> Markup:
    """Return a JSON value as a tree. Values at the paths of TASKFLOW_REDACT are shown as locks.

    Args:
        value: The text of a document as bytes, whose numbers are shown digit by digit; or a value.
        is_public: Nothing is hidden of it: a schema, or a document that has lost its hidden values before.
    """
    text = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, default=str).encode()
    if not is_public:
        text = READER.get().hiding.text(text)
    if len(text) > _LONGEST:
        shown = escape(visible(text[:_BEGINNING].decode(errors="replace")))
        return Markup('<div class="json"><p class="soft">The first {:,} of {:,} bytes.</p>{}</div>').format(
            _BEGINNING, len(text), shown
        )
    try:
        inner = _node(read_exactly(text), None, is_last=True, depth=0, left=_Left(_MOST_VALUES))
    except (ValueError, RecursionError):
        inner = escape(visible(text.decode(errors="replace")))
    return Markup('<div class="json" tabindex="0" hx-ignore>{}</div>').format(inner)


class _Left:
    """The number of values that may still be shown."""

    def __init__(self, values: int) -> None:
        self._values = values

    def take(self) -> bool:
        """Whether one more may be shown."""
        self._values -= 1
        return self._values >= 0


def _node(value: object, key: str | None, *, is_last: bool, depth: int, left: _Left) -> Markup:
    plain = value
    label = Markup('<span class="k">{}</span><span class="p">: </span>').format(_quoted(key)) if key is not None else ""
    comma = Markup("") if is_last else Markup('<span class="p">,</span>')
    if isinstance(value, dict) and depth < _DEEPEST:
        items = cast("dict[str, object]", value).items()
        return _container(label, "{}", list(items), comma, depth, left)
    if isinstance(value, list) and depth < _DEEPEST:
        return _container(label, "[]", [(None, each) for each in cast("list[object]", value)], comma, depth, left)
    return Markup('<span class="row">{}{}{}</span>').format(label, _scalar(plain), comma)


def _container(
    label: Markup | str,
    signs: str,
    items: Sequence[tuple[str | None, object]],
    comma: Markup,
    depth: int,
    left: _Left,
) -> Markup:
    kind = ("key", "keys") if signs == "{}" else ("item", "items")
    count = f"{len(items):,} {kind[0] if len(items) == 1 else kind[1]} {signs[1]}"
    first = _children(items, 0, min(_MOST_ITEMS, len(items)), depth, left)
    if len(items) > _MOST_ITEMS and signs == "[]":
        rest = Markup('<details class="more"><summary>Show all {:,} items</summary>{}</details>').format(
            len(items), _children(items, _MOST_ITEMS, len(items), depth, left)
        )
    else:
        rest = _children(items, _MOST_ITEMS, len(items), depth, left)
    return Markup(
        '<details{}><summary>{}<span class="p">{}</span><span class="c"> {}</span></summary>{}{}'
        '<span class="p">{}</span>{}</details>'
    ).format(
        Markup(" open") if depth < 2 else "",
        label,
        signs[0],
        count,
        first,
        rest,
        signs[1],
        comma,
    )


def _children(items: Sequence[tuple[str | None, object]], start: int, end: int, depth: int, left: _Left) -> Markup:
    last = len(items) - 1
    parts: list[Markup] = []
    for index in range(start, end):
        if not left.take():
            parts.append(
                Markup('<span class="row"><span class="c">{:,} more are not shown</span></span>').format(end - index)
            )
            break
        parts.append(_node(items[index][1], items[index][0], is_last=index == last, depth=depth + 1, left=left))
    return Markup("").join(parts)


def _scalar(value: object) -> Markup:
    if value == LOCK:
        return Markup('<span class="redacted">redacted</span>')
    if isinstance(value, Digits):
        return Markup('<span class="n">{}</span>').format(str(value))
    if isinstance(value, str):
        if len(value) > _LONGEST_STRING:
            return Markup(
                '<span class="s">{}</span><details class="more"><summary>Show all {:,} characters</summary>'
                '<span class="s">{}</span></details>'
            ).format(_quoted(value[:_LONGEST_STRING]), len(value), visible(value))
        return Markup('<span class="s">{}</span>').format(_quoted(value))
    return Markup('<span class="l">{}</span>').format(json.dumps(value, default=str))


def _quoted(text: str) -> str:
    return visible(json.dumps(text, ensure_ascii=False))
