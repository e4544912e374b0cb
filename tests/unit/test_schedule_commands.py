"""``taskflow schedules next``, which needs no server."""

import pytest
from typer.testing import CliRunner

from taskflow.cli.main import app


def test_the_next_instants_are_printed_in_utc_one_a_line() -> None:
    """Scripts read them."""
    asked = ["schedules", "next", "30 2 * * *", "--timezone", "Europe/Berlin", "--after", "2026-03-28T12:00Z"]
    printed = CliRunner().invoke(app, [*asked, "--count", "2"])
    assert printed.exit_code == 0
    assert printed.stdout == "2026-03-29T01:00:00Z\n2026-03-30T00:30:00Z\n"


@pytest.mark.parametrize(
    "asked, reason",
    [
        (["* * * * * *"], 'every="10s"'),
        (["-1 * * * *"], "minute field"),
        (["0 3 * * *", "--timezone", "Europe/Berln"], "Europe/Berlin"),
        (["0 3 * * *", "--after", "noon"], "2026-03-08T07:00:00Z"),
        (["0 3 * * *", "--tz", "UTC"], "No such option: --tz"),
    ],
)
def test_a_wrong_expression_zone_or_instant_ends_with_2_and_a_remedy(asked: list[str], reason: str) -> None:
    """A script must not take an error for an empty list."""
    printed = CliRunner().invoke(app, ["schedules", "next", *asked])
    assert printed.exit_code == 2
    assert reason in printed.output
