"""A file on its way: what has come of it so far, kept so that the rest can be added later."""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json, writing

PIECE = 1 << 20  # bytes read at once, at most


class Part(contextlib.AbstractContextManager):
    """A file that is not whole yet: ``<target>.part``, and in ``<target>.part.json`` whose bytes these are.

    Attributes:
        path: of the part.
        size: bytes so far.
        origin: {address, validator, total} of the answer that the bytes came in; {} before the first.
        spliced: whether the bytes came in more than one answer.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")
        self.origin: Mapping[str, Any] = self._read_note()
        self.size, self.spliced, self._hash = 0, bool(self.origin), hashlib.sha256()
        with writing(self.path):
            self._file = self.path.open("a+b" if self.origin else "w+b")
            self._file.seek(0)
            while data := self._file.read(PIECE):
                self._hash.update(data)
                self.size += len(data)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # of a full disk, which has been reported when it was met
            self._file.close()
        if self.size == 0:
            self.path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes so far, hexadecimal."""
        return self._hash.hexdigest()

    def restart(self, origin: Mapping[str, Any]) -> None:
        """Begin anew, with an answer whose bytes follow."""
        self.size, self.spliced, self._hash, self.origin = 0, False, hashlib.sha256(), origin
        with writing(self.path):
            self._file.seek(0)
            self._file.truncate()
        write_json(self._note, origin)

    def append(self, data: bytes) -> None:
        """Add bytes; they are handed to the operating system at once."""
        with writing(self.path):
            self._file.write(data)
            self._file.flush()
        self._hash.update(data)
        self.size += len(data)

    def publish(self) -> None:
        """Make it the target: the last step, when all is verified."""
        with writing(self.target):
            os.fsync(self._file.fileno())
            self._file.close()
            self.path.replace(self.target)
        self._note.unlink(missing_ok=True)

    def _read_note(self) -> Mapping[str, Any]:
        with contextlib.suppress(InputError):
            note = read_json(self._note)
            if self.path.is_file() and isinstance(note, dict) and note.keys() == {"address", "validator", "total"}:
                return note
        return {}
