"""What DVC does not list and steps depend on: raw files, which it knows by their index alone, and the lock.

A change of these is told before DVC looks; the steps that would use them refuse them. Few imports: this runs before
``dvc status`` and ``dvc repro``.
"""

from collections.abc import Iterator
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.config import layout
from ncfl.config.made_by import check_lock
from ncfl.trust.checksums import Checksums
from ncfl.trust.fetched import changed_files


def changes() -> Iterator[str]:
    """A line for each file that is not what results were made of.

    Clips of one's own lie elsewhere, and are left to the steps.
    """
    with Checksums() as checksums:
        for index in sorted(layout.raw("*").parent.glob("*/index.json")):
            for path in changed_files(index, index.parent / _source(index) / "files", checksums):
                yield f"{path}: changed since the dataset was fetched ({index}); no step takes it"
    try:
        check_lock()
    except InputError as error:
        yield str(error)


def _source(index: Path) -> str:
    content = read_json(index)
    return str(content.get("source", "")) if isinstance(content, dict) else ""
