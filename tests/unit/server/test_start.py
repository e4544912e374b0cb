"""``taskflow server``: what stops it before it serves."""

from typer.testing import CliRunner

from taskflow.cli.main import app


def test_a_log_level_that_does_not_exist_is_refused() -> None:
    """Logging itself would raise a ValueError with a traceback."""
    ended = CliRunner().invoke(app, ["server", "--loglevel", "LOUD"])
    assert ended.exit_code == 1
    assert "There is no log level 'LOUD'" in str(ended.exception) + ended.output
