"""Addresses of large values."""

from datetime import UTC, datetime

import pytest

from taskflow.objects.address import Address, address_of, is_address, new_address, run_of_folder

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def address(run_id: str) -> Address:
    """Return an address of a run's output."""
    found = new_address(run_id, "output", NOW)
    assert found is not None
    return found


@pytest.mark.parametrize("run_id", ["run_00abc", "6f0c-uuid", "..", "a/../../b", "ü b", "."])
def test_an_address_reads_back_names_its_run_and_stays_below_the_root(run_id: str) -> None:
    """Celery lets producers choose ids, also such as name other folders."""
    found = address(run_id)
    day, folder, _ = found.name.split("/")
    assert found.is_ours
    assert address_of(found.stored) == found
    assert (day, run_of_folder(folder)) == ("20260304", run_id)
    assert "." not in found.name


def test_no_two_attempts_have_one_address() -> None:
    """A value of a stale attempt must not take the place of another's output."""
    assert address("run_1") != address("run_1")


def test_a_run_id_too_long_for_a_path_has_none() -> None:
    """Its values stay in the record."""
    assert new_address("x" * 201, "payload", NOW) is None


@pytest.mark.parametrize(
    "stored",
    [
        b"@/etc/passwd", b"@../../../etc/passwd", b"@20260304/../../etc/passwd", b"@20260304/r/payload-x",
        b"@file:///etc/passwd", b"@20260304/r/../payload-" + b"0" * 32, b"@20260304/r/payload-" + b"0" * 32 + b"\n",
        b"@\xff", b"@",
    ],
)  # fmt: skip
def test_an_address_that_taskflow_did_not_make_is_not_followed(stored: bytes) -> None:
    """A process that can write to the store must not be able to read files with it."""
    assert is_address(stored)
    assert not address_of(stored).is_ours
