"""Lines of the text that runs write to streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskflow.execution.reporting.text_lines import LineJoiner


def joined(*pieces: bytes) -> list[str]:
    joiner = LineJoiner()
    return [line for piece in pieces for line in joiner.add(piece)] + [*joiner.finish()]


@pytest.mark.parametrize(
    "pieces, lines",
    [
        ((b"a", b" ", b"b\nc", b"\n"), ["a b", "c"]),
        ((b"no break",), ["no break"]),
        ((b"windows\r", b"\nlines\r\n"), ["windows", "lines"]),
        ((b"\r 0%", b"\r50%", b"\r100%", b"\n"), ["100%"]),
        ((b"\r 0%\r100%\r",), ["100%"]),
        ((b"\n \n\t\r\n",), []),
        ((b"\xff\n",), ["\\xff"]),
        ((b"\xc3", b"\xa9\n"), ["é"]),
    ],
)
def test_pieces_are_joined_to_lines(pieces: tuple[bytes, ...], lines: list[str]) -> None:
    """Programs write whenever their buffers are full, and progress bars overwrite their line."""
    assert joined(*pieces) == lines


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)), st.data())
def test_lines_do_not_depend_on_where_they_were_cut(lines: list[str], data: st.DataObject) -> None:
    """A pipe cuts anywhere, also within a character."""
    text = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert joined(*pieces) == [line for line in lines if line.strip()]


def test_an_endless_line_does_not_fill_the_memory() -> None:
    """Its beginning is kept."""
    joiner = LineJoiner()
    for _ in range(1000):
        assert not [*joiner.add(b"x" * 65_536)]
    (line,) = joiner.add(b"\n")
    assert set(line) == {"x"}
    assert 8192 < len(line) < 200_000
