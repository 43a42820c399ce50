"""The weights that come with the program, compared with their index: no step of the graph reads them, people do."""

from collections.abc import Iterator
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.common.files import read_json
from ncfl.trust.checksums import Checksums

INDEX = Path("pretrained/index.json")


def shipped_faults(checksums: Checksums) -> Iterator[str]:
    """The files that are gone or are not those described; an index that can't be read counts as one."""
    if not INDEX.is_file():
        return
    try:
        described = [(INDEX.parent / one["file"], one["sha256"]) for one in read_json(INDEX)["weights"].values()]
    except (InputError, KeyError, TypeError, AttributeError):
        yield f"{INDEX}: no index of weights; get it again"
        return
    for path, checksum in described:
        if not path.is_file() or checksums.of(path) != checksum:
            yield f"{path} is {'another than its index says' if path.is_file() else 'gone'}; get it again"
