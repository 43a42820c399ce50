"""DAVIS-2017 at 480p: 90 trainval sequences to train on, 30 test-dev sequences to test on.

    DAVIS-2017-trainval-480p.zip, DAVIS-2017-test-dev-480p.zip
    DAVIS/JPEGImages/480p/<sequence>/00000.jpg, 00001.jpg, ...    480 high, mostly 854 wide

Both archives have the same top folder: unpacked into one place or two, both are found.
"""

from collections.abc import Sequence

from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, Tree
from ncfl.data.datasets.sequences import plain_clips, read_counts

TITLE = "DAVIS-2017"


def _clips(tree: Tree, lists: Lists | None) -> dict[str, list[ClipFiles]]:
    return plain_clips(tree, TITLE, lists, PUBLISHED, (".jpg", ".jpeg"), accept=_is_480p, first=0)


def _is_480p(parts: Sequence[str]) -> bool:
    """Whether a folder is no sequence of another resolution; one outside of JPEGImages may be any."""
    return len(parts) < 3 or parts[-3].lower() != "jpegimages" or parts[-2].lower() == "480p"


def _place(split: str, clip: str, frame: int, shot: int | None) -> str:
    del split, shot  # both archives share their folders, and nothing is degraded
    return f"DAVIS/JPEGImages/480p/{clip}/{frame:05d}.jpg"


PUBLISHED = {split: read_counts(f"davis_{split}") for split in ("train", "test")}
DAVIS = Dataset(
    name="davis",
    title=TITLE,
    convention="rgb",
    clips=_clips,
    place=_place,
    lists={split: tuple(names) for split, names in PUBLISHED.items()},
    size=(480, None),
)
