"""``python -m taskflow``: the command, by an interpreter that is chosen by hand."""

from taskflow.cli.main import main

main()
