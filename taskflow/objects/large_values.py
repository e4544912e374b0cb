"""Write, read and delete large values. Blocking, from any thread and after any fork: coroutines call it in a thread.

An object is complete before a record names it, is never changed, and its name is never used again. Its durability is
that of the configured file system.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from taskflow.definition.documents.readable import read_json
from taskflow.errors import ObjectStoreError
from taskflow.models import Run
from taskflow.objects.address import Address, Kind, LargeValue, address_of, is_address, new_address
from taskflow.project import make_private

T = TypeVar("T")
PAUSES: Final = (0.1, 0.4)
"""Seconds between the tries of one request, so that a short failure does not fail a run."""


class LargeValues:
    """One environment's large values.

    Args:
        url: An fsspec URL, or the path of a local folder, which is made for this user alone.
        inline_limit: Values of up to so many bytes of JSON stay in the record.
    """

    def __init__(self, url: str, environment: str, inline_limit: int) -> None:
        """Connect to nothing yet."""
        self._url, self._environment, self._inline_limit = url, environment, inline_limit

    @property
    def scheme(self) -> str:
        """The kind of file system, for messages: a URL may hold a password."""
        scheme, separator, _ = self._url.partition("://")
        return scheme if separator else f"the folder {self._url}"

    def is_large(self, document: bytes) -> bool:
        """Whether a value does not stay in the record."""
        return len(document) > self._inline_limit

    def planned(self, run_id: str, kind: Kind, document: bytes) -> LargeValue | None:
        """Return the object to write before the record, None for a value that stays in the record. No I/O."""
        address = new_address(run_id, kind, datetime.now(UTC)) if self.is_large(document) else None
        return LargeValue(address, document) if address else None

    def write(self, large: LargeValue) -> None:
        """Write an object.

        Raises:
            ObjectStoreError: It could not be written.
        """
        self._tried("take", large.address, lambda files, path: self._put(files, path, large.document))

    def store_output(self, run_id: str, document: bytes) -> bytes:
        """Write an output if it is large. Returns the text that the record holds: the output or its address.

        Raises:
            ObjectStoreError: It could not be written.
        """
        large = self.planned(run_id, "output", document)
        if large is None:
            return document
        self.write(large)
        return large.address.stored

    def load(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value: the value itself, or the object at its address.

        Raises:
            ObjectStoreError: The object can't be read.
        """
        if not is_address(stored):
            return stored
        address = address_of(stored)
        if not address.is_ours:
            reason = "the record holds an address that taskflow did not make, which is not followed"
            raise ObjectStoreError("return", "an object", reason, self.scheme)
        return self._tried("return", address, lambda files, path: bytes(files.cat_file(path)))

    def resolved(self, run: Run) -> Run:
        """Return a run with its large values in place of their addresses.

        Raises:
            ObjectStoreError: One of them can't be read.
        """
        if is_resolved(run):
            return run
        return replace(run, payload=self._value(run.payload), output=self._value(run.output))

    def discard(self, large: LargeValue) -> None:
        """Delete an object that no record names. If that fails, the sweep deletes it once it is old."""
        with suppress(ObjectStoreError):
            self._tried("delete", large.address, lambda files, path: files.rm_file(path))

    def delete(self, *parts: str) -> None:
        """Delete the folder of a day or of a run, or an object.

        Raises:
            ObjectStoreError: It was not deleted.
        """
        self._tried("delete", Address("/".join(parts)), _delete)

    def names(self, *parts: str) -> Iterator[str]:
        """Yield the names of the days, of a day's runs, or of a run's objects, oldest day first.

        Raises:
            ObjectStoreError: They can't be listed.
        """
        paths = self._tried("list", Address("/".join(parts)), _list)
        yield from sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def _value(self, value: object) -> object:
        return read_json(self.load(value.stored)) if isinstance(value, Address) else value

    def _tried(self, verb: str, address: Address, act: Callable[[Any, str], T]) -> T:
        for pause in (*PAUSES, None):
            try:
                files, root = self._files()
                return act(files, f"{root.rstrip('/')}/{self._environment}/{address.name}".rstrip("/"))
            except FileNotFoundError:
                raise ObjectStoreError(verb, address.name, "there is no such object", self.scheme) from None
            except Exception as error:  # every file system has errors of its own
                if pause is None or isinstance(error, ImportError | ValueError):
                    reason = f"{type(error).__name__}: {error}"
                    raise ObjectStoreError(verb, address.name, reason, self.scheme) from error
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _put(self, files: Any, path: str, document: bytes) -> None:
        if "://" not in self._url:
            make_private(Path(self._url))
        try:
            files.pipe_file(path, document)
        except FileNotFoundError:  # a file system with real folders
            files.makedirs(os.path.dirname(path), exist_ok=True)
            files.pipe_file(path, document)
        if "://" not in self._url:
            os.chmod(path, 0o600)

    def _files(self) -> tuple[Any, str]:
        """Return the file system and the path of the root. fsspec keeps one a thread, and none over a fork."""
        from fsspec.core import url_to_fs  # a process that has no large values never imports it

        return url_to_fs(self._url)


def is_resolved(run: Run) -> bool:
    """Whether a run holds values and not addresses."""
    return not isinstance(run.payload, Address) and not isinstance(run.output, Address)


def _delete(files: Any, path: str) -> None:
    with suppress(FileNotFoundError):  # another node has deleted it, or the file system has no folders
        files.rm(path, recursive=True)


def _list(files: Any, path: str) -> list[str]:
    files.invalidate_cache()
    try:
        return list(files.ls(path, detail=False))
    except FileNotFoundError:
        return []
