"""Paths in JSON documents: what can be written, and what is refused with its reason."""

import pytest

from taskflow.json_paths import Step, parse_path, split_paths

CARD = Step("card")


@pytest.mark.parametrize(
    "text, steps",
    [
        ("$", ()),
        ("$.card.number", (CARD, Step("number"))),
        ('$["card"]["a, b"]', (CARD, Step("a, b"))),
        (r"$['it\'s']", (Step("it's"),)),
        (r'$["a\"b\\c"]', (Step('a"b\\c'),)),
        ("$.items[*].token", (Step("items"), Step(), Step("token"))),
        ("$.items[3]", (Step("items"), Step(index=3))),
        ("$.*", (Step(),)),
        ("$..password", (Step("password", is_deep=True),)),
        ('$..["a b"]', (Step("a b", is_deep=True),)),
        ("$.a..*", (Step("a"), Step(is_deep=True))),
        ("$..[0]", (Step(index=0, is_deep=True),)),
        ("$.größe.日本", (Step("größe"), Step("日本"))),
    ],
)
def test_a_path_names_members_items_and_depths(text: str, steps: tuple[Step, ...]) -> None:
    """The subset that docs/how-to/dashboard.md lists."""
    assert parse_path(text).steps == steps


@pytest.mark.parametrize(
    "text",
    ["", "card", ".card", "$card", "$.", "$..", "$...a", "$.a.", "$.a..", "$ .a", "$.a b", "$[]", "$[-1]", "$[01]",
     "$[1:2]", "$[0,1]", "$[?(@.a)]", '$["a]', "$['']", "$.a$", "$.a\n", "$.a,$.b"],
)  # fmt: skip
def test_a_text_that_is_no_path_is_refused(text: str) -> None:
    """The message has the text, and what can be written."""
    with pytest.raises(ValueError, match="is no path") as refused:
        parse_path(text)
    assert repr(text) in str(refused.value)


def test_a_list_is_separated_by_commas_before_a_path() -> None:
    """A comma in a name separates nothing."""
    assert split_paths(' $.a ,$..b, $["x,y"],') == ("$.a", "$..b", '$["x,y"],')
    assert split_paths("") == ()
