"""The files of a dataset as its index lists them, and whether they are still what was fetched. Few imports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.trust.checksums import Checksums


def read_index(path: Path) -> dict[str, Any]:
    """What an index says; {} of one that cannot be read, which is a fault of its own, found by its checksum."""
    try:
        content = read_json(path)
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def entries(index: dict[str, Any]) -> list[dict[str, Any]]:
    """The files that an index lists; none of one that lists them in another way than it should."""
    try:
        files = index["files"]
        return [f for f in files if isinstance(f["name"], str) and isinstance(f["bytes"], int) and "sha256" in f]
    except (KeyError, TypeError):
        return []


def changed_files(index: dict[str, Any], root: Path, checksums: Checksums) -> Iterator[Path]:
    """The files below ``root`` that are not as they were fetched; those that are gone are left out."""
    for entry in entries(index):
        path = root / entry["name"]
        try:
            if path.stat().st_size == entry["bytes"] and checksums.of(path) == entry["sha256"]:
                continue
        except OSError:
            continue
        yield path
