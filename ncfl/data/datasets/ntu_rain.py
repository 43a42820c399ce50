"""NTU-Rain (Chen et al., CVPR 2018), its synthetic part.

    Dataset_Training_Synthetic/t1_Rain_01/00001.jpg ... t8_Rain_03/   25 rainy clips; t1_GT/ ... t8_GT/ are shared
    Dataset_Testing_Synthetic/a1_Rain/00001.jpg ... b4_Rain/           8 rainy clips; a1_GT/ ... b4_GT/

Frames of one name belong together, from 00001 on: a clip is as long as its rainy frames, and clean ones after the
last of these are left out. The folders lie in one archive each, and are found wherever they were unpacked.
"""

import re
from functools import partial
from pathlib import PurePosixPath

from ncfl.common.errors import InputError
from ncfl.data.datasets.degraded_pairs import listed, number_runs, pair
from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, Tree, incomplete, read_list

TITLE = "NTU-Rain"
LISTS: Lists = {"train": read_list("ntu-rain_train"), "test": read_list("ntu-rain_test")}
FOLDERS = {"train": "Dataset_Training_Synthetic", "test": "Dataset_Testing_Synthetic"}
FIRST = 1


def _folder(clip: str, shot: int | None) -> str:
    """Of ``t1_01``: t1_GT and t1_Rain_01; of ``a1``: a1_GT and a1_Rain."""
    scene, _, take = clip.partition("_")
    if shot is None:
        return f"{scene}_GT"
    return f"{scene}_Rain_{take}" if take else f"{scene}_Rain"


def _place(split: str, clip: str, frame: int, shot: int | None) -> str:
    return f"{FOLDERS[split]}/{_folder(clip, shot)}/{frame + FIRST:05d}.jpg"


def _clips(tree: Tree, lists: Lists | None) -> dict[str, list[ClipFiles]]:
    lists = lists or LISTS
    needed = dict.fromkeys(_folder(clip, shot) for names in lists.values() for clip in names for shot in (0, None))

    def key(path: str) -> tuple[str, int] | None:
        file = PurePosixPath(path)
        known = file.parent.name in needed and file.stem.isdecimal()
        return (file.parent.name, int(file.stem)) if known else None

    runs = number_runs(tree, key)
    absent = [folder for folder in needed if folder not in runs]
    if absent:
        _refuse_packed(tree, absent)
        raise incomplete(tree, TITLE, absent, "folders of frames")
    clips: dict[str, list[ClipFiles]] = {}
    missing: list[str] = []
    for split, names in lists.items():
        clips[split] = []
        for name in names:
            clip, lost = pair(name, runs[_folder(name, None)], runs[_folder(name, 0)], FIRST, surplus=True)
            clips[split].append(clip)
            missing += lost
    if missing:
        raise incomplete(tree, TITLE, list(dict.fromkeys(missing)))  # rainy clips of a scene miss the same clean frame
    return clips


def _refuse_packed(tree: Tree, absent: list[str]) -> None:
    """Say so where a folder is missing because its archive lies there as it came."""
    found = (re.fullmatch(r"(.+)\.(?:rar|zip)", PurePosixPath(path).name) for path in tree.files)
    packed = [match[0] for match in found if match and match[1] in absent]
    if packed:
        raise InputError(
            f"{tree.root}: expected unpacked frames, got {len(packed)} archives, first {packed[0]}; unpack them where "
            "they lie"
        )


# Rainy clips of one training scene share its clean frames, so a stand-in, whose clips are all different, uses one each.
_STAND_INS: Lists = {"train": tuple(n for n in LISTS["train"] if n.endswith("_01")), "test": LISTS["test"]}

NTU_RAIN = Dataset(
    name="ntu-rain",
    title=TITLE,
    convention="y",
    clips=_clips,
    place=_place,
    names=partial(listed, TITLE, _STAND_INS),
    lists=LISTS,
    shots=1,
    stand_in="rain-rendered",
)
