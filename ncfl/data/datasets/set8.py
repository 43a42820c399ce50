"""Set8: four GoPro and four derf sequences at 960x540, to test on; at most 85 frames of each are used.

    testset_Set8.tar.gz
    Set8/<sequence>/*.png    numbered

Its authors share the sequences as online folders, in which the GoPro ones lie below ``gopro_540p``; other groups
as an archive. So a sequence is found by its folder's name, wherever it lies, and frames by their numbers,
however these are written.
"""

from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, Tree
from ncfl.data.datasets.sequences import plain_clips, read_counts

TITLE = "Set8"
PUBLISHED = {"test": read_counts("set8_test")}


def _clips(tree: Tree, lists: Lists | None) -> dict[str, list[ClipFiles]]:
    return plain_clips(tree, TITLE, lists, PUBLISHED, (".png",))


def _place(split: str, clip: str, frame: int, shot: int | None) -> str:
    del split, shot  # nothing to train on, and nothing is degraded
    return f"Set8/{clip}/{frame + 1:02d}.png"


SET8 = Dataset(
    name="set8",
    title=TITLE,
    convention="rgb",
    clips=_clips,
    place=_place,
    lists={split: tuple(names) for split, names in PUBLISHED.items()},
    size=(540, 960),
)
