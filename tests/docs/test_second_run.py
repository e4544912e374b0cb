"""The gate's second run forgives a test with processes that passes three times alone, and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARALLEL = ("-p", "xdist", "-n", "1")

# Each test counts its executions in a file of its own, and fails at those in `fails_at`.
SUITE = """
import pathlib, pytest

def executed(request, fails_at):
    counter = pathlib.Path("counter " + request.node.name.replace("/", "_"))
    number = len(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text("." * number)
    assert number not in fails_at
"""
Outcome = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.timeout(120)  # up to seven starts of pytest


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """An empty suite of tests with folders for kinds."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -ra\n")
    for kind in ("unit", "integration"):
        (tmp_path / "tests" / kind).mkdir(parents=True)
    return tmp_path


def write(suite: Path, kind: str, body: str) -> None:
    """Write the tests of one kind."""
    (suite / "tests" / kind / f"test_{kind}.py").write_text(SUITE + body)


def run(suite: Path, *options: str) -> Outcome:
    """Run the suite as the gate does."""
    argv = [sys.executable, "-m", "pytest", "-p", "tests.support.second_run", *options]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # each plugin costs some 0.1 s
    return subprocess.run(argv, cwd=suite, env=environment, capture_output=True, text=True, timeout=60)


def closing(outcome: Outcome) -> str:
    """Return the closing line, which a reader of CI's log judges by."""
    line = outcome.stdout.splitlines()[-1]
    matched = re.fullmatch(r"=+ (.*) in [0-9.]+s =+", line)
    assert matched, outcome.stdout
    return matched[1]


def executions(suite: Path) -> list[int]:
    """Return how often each test was executed."""
    return sorted(len(path.read_text()) for path in suite.glob("counter *"))


def test_a_test_that_passes_three_times_alone_is_flaky_and_the_run_passes(suite: Path) -> None:
    """A busy machine fails no gate; the name stays, because each is a defect to find."""
    write(
        suite,
        "integration",
        "@pytest.mark.parametrize('text', ['a [b] c::d@e'])\ndef test_once(request, text): executed(request, {1})\n"
        "def test_good(): pass\n",
    )
    outcome = run(suite, *PARALLEL)
    assert outcome.returncode == 0, outcome.stdout
    assert closing(outcome) == "1 passed, 1 flaky"
    assert outcome.stdout.splitlines()[-2] == "FLAKY: tests/integration/test_integration.py::test_once[a [b] c::d@e]"
    assert "assert 1 not in {1}" in outcome.stdout, "the first failure is what shows the defect"
    assert executions(suite) == [4]


def test_failures_of_a_setup_and_a_teardown_are_those_of_their_test(suite: Path) -> None:
    """A server that does not start in time fails a fixture; one test may fail in two reports."""
    write(
        suite,
        "integration",
        """
@pytest.fixture
def early(request):
    executed(request, {1})

@pytest.fixture
def late(request):
    yield
    executed(request, {1})

def test_setup(early): pass
def test_call_and_teardown(request, late): assert pathlib.Path("counter test_call_and_teardown").exists()
""",
    )
    outcome = run(suite)
    assert outcome.returncode == 0, outcome.stdout
    assert closing(outcome) == "2 flaky"
    assert executions(suite) == [4, 4]


@pytest.mark.parametrize("fails_at, number", [(range(1, 9), 2), ({1, 4}, 4)], ids=["always", "at the third time"])
def test_a_test_that_fails_again_fails_the_run(suite: Path, fails_at: object, number: int) -> None:
    """One failure alone is a failure; two passes are not three."""
    write(suite, "integration", f"def test_it(request): executed(request, {fails_at!r})\ndef test_good(): pass\n")
    outcome = run(suite)
    assert outcome.returncode == 1
    assert closing(outcome) == "1 failed, 1 passed"
    assert "FLAKY" not in outcome.stdout
    assert executions(suite) == [number]


def test_a_test_without_processes_gets_no_second_run(suite: Path) -> None:
    """It does not wait for the machine: it found something, and a failure of another kind beside it changes nothing."""
    write(suite, "unit", "def test_unit(request): executed(request, {1})\n")
    write(suite, "integration", "def test_integration(request): executed(request, {1})\n")
    outcome = run(suite)
    assert outcome.returncode == 1
    assert closing(outcome) == "2 failed"
    assert executions(suite) == [1, 1]


def test_a_fourth_failure_fails_the_run_at_once(suite: Path) -> None:
    """So many are no coincidence."""
    write(
        suite,
        "integration",
        "@pytest.mark.parametrize('n', range(4))\ndef test_it(request, n): executed(request, {1})\n",
    )
    outcome = run(suite)
    assert outcome.returncode == 1
    assert closing(outcome) == "4 failed"
    assert executions(suite) == [1, 1, 1, 1]


def test_a_skip_is_not_a_pass(suite: Path) -> None:
    """A test that cannot be executed again was not executed again."""
    body = "def test_it(request):\n    if pathlib.Path('was').exists(): pytest.skip()\n"
    body += "    pathlib.Path('was').touch()\n    assert 0\n"
    write(suite, "integration", body)
    outcome = run(suite)
    assert (outcome.returncode, closing(outcome)) == (1, "1 failed")


@pytest.mark.parametrize(
    "body, options, code, word",
    [
        ("", (), 5, "no tests ran"),
        ("import nothing_of_this_name\n", (), 2, "1 error"),
        ("def test_it(): raise KeyboardInterrupt\n", (), 2, "no tests ran"),
        ("def test_a(): assert 0\ndef test_b(): pass\n", ("-x",), 1, "1 failed"),
        ("import os\ndef test_it(): os._exit(3)\n", PARALLEL, 1, "1 failed, 1 error"),
    ],
    ids=["empty", "collection", "interrupt", "stopped", "crash"],
)
def test_a_run_that_did_not_come_to_its_end_is_never_a_pass(
    suite: Path, body: str, options: tuple[str, ...], code: int, word: str
) -> None:
    """Nothing collected, interrupted, stopped early, a worker crashed: some tests may not have been executed."""
    write(suite, "integration", body)
    outcome = run(suite, *options)
    assert (outcome.returncode, closing(outcome)) == (code, word), outcome.stdout
    assert "FLAKY" not in outcome.stdout


def test_a_worker_that_crashes_after_its_last_test_fails_the_run(suite: Path) -> None:
    """No test failed, and nobody knows what else the worker was about to report."""
    crash = (
        "import os\ndef pytest_sessionfinish(session):\n    if hasattr(session.config, 'workerinput'): os._exit(3)\n"
    )
    (suite / "conftest.py").write_text(crash)
    write(suite, "unit", "def test_good(): pass\n")
    outcome = run(suite, *PARALLEL, "--max-worker-restart", "0")
    assert (outcome.returncode, closing(outcome)) == (1, "1 passed, 1 error"), outcome.stdout
