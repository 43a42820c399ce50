"""What DVC does not list and steps depend on: raw files, which it knows by their index alone, and the lock.

A change of these is told before DVC looks; the steps that would use them refuse them. Few imports: this runs before
``dvc status`` and ``dvc repro``.
"""

from collections.abc import Iterator

from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.config.made_by import check_lock
from ncfl.trust.checksums import Checksums
from ncfl.trust.fetched import changed_files, read_index


def changes() -> Iterator[str]:
    """A line for each file that is not what results were made of.

    Clips of one's own lie elsewhere, and are left to the steps.
    """
    with Checksums() as checksums:
        for path in sorted(layout.DATA.glob("raw/*/index.json")):
            index = read_index(path)
            root = path.parent / str(index.get("source", "")) / "files"
            for changed in changed_files(index, root, checksums):
                yield f"{changed}: changed since the dataset was fetched ({path}); no step takes it"
    try:
        check_lock()
    except InputError as error:
        yield str(error)
