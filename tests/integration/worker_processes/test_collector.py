"""The garbage collector in a worker, seen in processes of their own, because it is a setting of the whole process."""

import subprocess
import sys


def seen(code: str) -> str:
    """Return what a process prints that does something and then what a node does at its start."""
    program = f"import gc\n{code}\nfrom taskflow.worker.node.collector import spare_what_stays\nspare_what_stays()\n"
    program += "print(gc.get_freeze_count() > 1000, gc.get_threshold()[0])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_what_is_loaded_is_collected_no_more_and_the_rest_less_often() -> None:
    """A node's modules are some hundred thousand objects, which no collection frees."""
    assert seen("") == "True 10000"


def test_what_the_application_has_chosen_stays() -> None:
    """It may know better, or have turned the collector off."""
    assert seen("gc.set_threshold(5000, 5, 5)") == "True 5000"
    assert seen("gc.set_threshold(0)") == "True 0"
