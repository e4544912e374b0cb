"""The tests with the same server run in one worker of a parallel run, under the ids by which they can be run again."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = """
import pytest
from tests.support.one_worker import group_by_server, name_group, without_group

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        group_by_server(item)
        name_group(item)

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    if hasattr(report, "node"):
        report.nodeid = without_group(report.nodeid)
"""
SUITE = """
import os, pathlib, pytest

@pytest.fixture(scope="session")
def rabbitmq_server():
    with pathlib.Path("started").open("a") as file:
        file.write("started ")

def test_it(rabbitmq_server): pass

@pytest.mark.parametrize("number", range(4))
def test_again(number, rabbitmq_server): pass

@pytest.mark.parametrize("broker", ["store", "RabbitMQ"])
def test_each(request, broker): broker == "store" or request.getfixturevalue("rabbitmq_server")
"""


@pytest.mark.timeout(120)
def test_the_tests_with_a_server_run_in_one_worker(tmp_path: Path) -> None:
    """Else each worker starts a server of its own, as with a pytest-xdist that groups nothing and says nothing."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_servers.py").write_text(SUITE)
    argv = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadgroup", "-rp"]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert "7 passed" in done.stdout, done.stdout
    assert (tmp_path / "started").read_text() == "started "
    assert "@" not in done.stdout
