"""Files that survive a kill: replaced as a whole, and a journal of what is finished."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from magic_ui.errors import InputError


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all; makes its folder.

    Raises:
        InputError: it cannot be written; nothing is left of it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError("output", f"the results cannot be written: {error.strerror}.") from error


class Journal:
    """Finished work by key, one JSON line each; a line that a kill cut off counts for nothing and is removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        if path.is_file():
            whole = path.read_bytes()
            kept = whole[: whole.rfind(b"\n") + 1]
            if kept != whole:
                replace_file(path, kept)
            for line in kept.decode("utf-8").splitlines():
                entry = json.loads(line)
                self.entries[entry.pop("key")] = entry

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Note finished work; its files must have been written before.

        Raises:
            InputError: the line cannot be written.
        """
        line = json.dumps({"key": key, **entry}, ensure_ascii=False) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise InputError("output", f"the results cannot be written: {error.strerror}.") from error
        self.entries[key] = dict(entry)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder against a second process that would write to it.

    Raises:
        InputError: another process holds it, or it cannot be made.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise InputError("output", "another run is writing to this folder; wait for it, or choose another.") from None
    except OSError as error:
        raise InputError("output", f"the folder cannot be written to: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()
