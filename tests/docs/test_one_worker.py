"""The tests with the same dear server begin in one worker of a parallel run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = """
import os, pytest
from tests.support.one_worker import in_one_worker

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = in_one_worker(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
"""
SUITE = """
import os, pathlib, pytest, time

def done():
    with pathlib.Path("done").open("a") as file:
        file.write("x")

def start(server):
    with pathlib.Path("started").open("a") as file:
        file.write(f"{server} in {os.environ['PYTEST_XDIST_WORKER']}\\n")

@pytest.fixture(scope="session")
def rabbitmq_server():
    start("rabbitmq")

@pytest.fixture(scope="session")
def postgres_server():
    start("postgresql")

@pytest.mark.parametrize("number", range(20))
def test_free(number):
    # A worker whose own tests are done would take those of another that has not come to them yet.
    while len(pathlib.Path("done").read_text()) < 10:
        time.sleep(0.01)

def test_it(rabbitmq_server): done()

@pytest.mark.parametrize("number", range(4))
def test_again(number, rabbitmq_server): done()

@pytest.mark.parametrize("number", range(4))
def test_rows(number, postgres_server): done()

@pytest.mark.parametrize("broker", ["store", "RabbitMQ"])
def test_each(request, broker):
    if broker == "RabbitMQ":
        request.getfixturevalue("rabbitmq_server")
        done()
"""


@pytest.mark.timeout(120)
def test_the_tests_with_a_server_run_in_one_worker(tmp_path: Path) -> None:
    """A virtual machine of Erlang's in each of four workers costs more than the tests that use it."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_servers.py").write_text(SUITE)
    (tmp_path / "done").touch()
    argv = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "worksteal"]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert "31 passed" in done.stdout, done.stdout
    started = dict(line.split(" in ") for line in (tmp_path / "started").read_text().splitlines())
    assert len((tmp_path / "started").read_text().splitlines()) == 2
    assert sorted(started) == ["postgresql", "rabbitmq"]
    assert len(set(started.values())) == 2, "either worker may be the first"
