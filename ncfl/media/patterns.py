"""Numbered pictures by a pattern such as ``frames/%05d.png``, as FFmpeg's users name them."""

import re
from pathlib import Path
from typing import NamedTuple, Self

from ncfl.common.errors import InputError
from ncfl.media.pictures import PictureWriter, natural_key

_PATTERN = re.compile(r"((?:[^%]|%%)*)%(?:0(\d+))?d((?:[^%]|%%)*)")
FIRST = 1  # the number that FFmpeg gives the first picture


class Pattern(NamedTuple):
    """A folder, and names in it: ``before``, a number of at least ``digits`` digits (0: without zeros in front),
    ``after``.
    """

    folder: Path
    before: str
    digits: int
    after: str

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """The pattern that ``path`` is; None for a name without a place for a number, or of something that exists."""
        path = Path(path)
        found = _PATTERN.fullmatch(path.name)
        if found is None or path.exists():
            return None
        before, digits, after = found.groups()
        return cls(path.parent, before.replace("%%", "%"), int(digits or 0), after.replace("%%", "%"))

    def name(self, number: int) -> str:
        """Of the picture with this number."""
        return f"{self.before}{number:0{self.digits}d}{self.after}"

    def pictures(self) -> list[Path]:
        """The files that are there, in the order of their numbers."""
        if not self.folder.is_dir():
            return []
        named = re.compile(f"{re.escape(self.before)}([0-9]+){re.escape(self.after)}")
        numbers = ((named.fullmatch(path.name), path) for path in self.folder.iterdir())
        found = ((int(match[1]), path) for match, path in numbers if match)
        return [path for number, path in sorted(found) if self.name(number) == path.name]


class PatternWriter(PictureWriter):
    """Writes pictures by a pattern, from number 1, into a folder that may hold other files.

    They are made beside the folder and moved into it when all are there.

    Args:
        pattern: the names.
        overwrite: whether pictures of such names may be replaced; all that are there then go.
        building: as for :class:`ncfl.media.pictures.PictureWriter`.
    """

    def __init__(self, pattern: Pattern, *, overwrite: bool = False, building: Path | None = None) -> None:
        self._pattern = pattern
        super().__init__(pattern.folder.resolve(), overwrite=overwrite, building=building)

    def name(self, count: int) -> str:
        """Of the picture after ``count`` others."""
        return self._pattern.name(FIRST + count)

    def finish(self) -> None:
        """Put the pictures in their place."""
        for old in self._pattern.pictures():
            old.unlink()
        self.folder.mkdir(exist_ok=True)
        for picture in sorted(self._building.iterdir(), key=lambda path: natural_key(path.name)):
            picture.replace(self.folder / picture.name)
        self._building.rmdir()

    def _check_replaceable(self, overwrite: bool) -> None:
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: expected a folder, got a file; name another folder for the frames")
        if (there := self._pattern.pictures()) and not overwrite:
            raise InputError(f"{there[0]}: exists; overwriting must be asked for")
