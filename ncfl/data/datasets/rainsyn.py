"""RainSynLight25, RainSynComplex25 (Liu et al., CVPR 2018) and RainSynAll100 (Yang et al., TPAMI 2021).

    frames_light_train_JPEG/<clip>/rfc-<n>.jpg gtc-<n>.jpg               Light25, first release; Complex25: heavy
    video_rain_light/<split>/input/<clip>/<n>.png processed/<clip>/<n>.png       and as released later
    Video_rain_synthesis_<split>/Rain_Haze/<clip>/<n>.jpg GT/<clip>/<n>.jpg                      All100

``rfc`` and ``gtc`` are the rainy and the clean frame in color; the ``rf`` and ``gt`` beside them are left out.
All100's rainy frame is the one with streaks and accumulation. Frames of one number belong together.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from ncfl.common.errors import InputError
from ncfl.data.datasets.degraded_pairs import Run, listed, number_runs, pair
from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, StandIn, Tree, incomplete, read_list
from ncfl.media.pictures import natural_key

LEVELS = {"light": "light", "heavy": "heavy", "complex": "heavy"}  # a word in a folder's name -> whose frames it holds
# The word by itself or as in RainSynLight25; "highlights" and "complexity" say nothing of rain.
_WORD = re.compile(r"(?<![a-z])(?:rain(?:syn)?)?(light|heavy|complex)(?:rain)?(?![a-z])")


class Spot(NamedTuple):
    """What a path says: the folders above the clip's, the clip, whether the frame is rainy, its number."""

    above: tuple[str, ...]
    clip: str
    rainy: bool
    frame: int


class Release(NamedTuple):
    """One way in which frames have been released.

    Attributes:
        locate: (a file's folders, its stem) -> what they say; None: no frame.
        counts: how many clips each split has at least; empty where there is a list.
        first: number of a clip's first frame; None: whichever is lowest.
    """

    locate: Callable[[tuple[str, ...], str], Spot | None]
    counts: Mapping[str, int]
    first: int | None


def _named_frames(folders: tuple[str, ...], stem: str) -> Spot | None:
    """``<split>/<clip>/rfc-<n>`` and ``gtc-<n>``."""
    role, _, number = stem.rpartition("-")
    if role not in ("rfc", "gtc") or not number.isdecimal() or len(folders) < 2:
        return None
    return Spot(folders[:-1], folders[-1], role == "rfc", int(number))


def _role_folders(roles: Mapping[str, bool], folders: tuple[str, ...], stem: str) -> Spot | None:
    """``<split>/<role>/<clip>/<n>``, where ``roles`` says which folder is rainy."""
    if not stem.isdecimal() or len(folders) < 3 or folders[-2].lower() not in roles:
        return None
    return Spot(folders[:-2], folders[-1], roles[folders[-2].lower()], int(stem))


def _split(above: Sequence[str]) -> str | None:
    """The split that the nearest folder with such a word in its name speaks of."""
    for folder in reversed(above):
        found = re.search(r"(?:^|[\W_])(train|test)(?:ing)?(?:$|[\W_])", folder.lower())
        if found:
            return found[1]
    return None


def _levels(folders: Sequence[str]) -> list[str]:
    """``light`` or ``heavy`` for each folder that says so, the nearest first; one that says both says neither."""
    said = ({LEVELS[word] for word in _WORD.findall(folder.lower())} for folder in reversed(folders))
    return [levels.pop() for levels in said if len(levels) == 1]


def _is_level(level: str, root: Sequence[str], above: Sequence[str]) -> bool:
    """Whether a frame can be of a level: both sets are released together, in the same layout.

    In the tree, a folder of the other level's name rules a frame out. Where no folder there has such a name, the
    nearest above the root decides: any may be above that, as the project's own. A path without a word is taken.
    """
    inside = _levels(above)
    return {*(inside or _levels(root)[:1])} <= {level}


def _frames(tree: Tree, release: Release, level: str | None) -> dict[Hashable, dict[int, str]]:
    """Runs by (split, clip, rainy)."""
    root = tree.root.resolve().parts

    def key(path: str) -> tuple[Hashable, int] | None:
        file = PurePosixPath(path)
        spot = release.locate(file.parts[:-1], file.stem)
        split = _split(spot.above) if spot else None
        if split is None or (level and not _is_level(level, root, spot.above)):
            return None
        return (split, spot.clip, spot.rainy), spot.frame

    return number_runs(tree, key)


def _clips(
    tree: Tree, lists: Lists | None, *, title: str, level: str | None, releases: Sequence[Release]
) -> dict[str, list[ClipFiles]]:
    """Clips of the first release that there is anything of."""
    for release in releases:
        runs = _frames(tree, release, level)
        if runs:
            return _complete(tree, lists, title, release, runs)
    hint = "; a folder called light, heavy or complex is taken at its word" if level else ""
    raise InputError(
        f"{tree.root}: expected frames of {title}, got none; name the folder of both its train and its test{hint}"
    )


def _complete(
    tree: Tree, lists: Lists | None, title: str, release: Release, runs: Mapping[Hashable, Run]
) -> dict[str, list[ClipFiles]]:
    there = {s: sorted({clip for split, clip, _ in runs if split == s}, key=natural_key) for s in ("train", "test")}
    if lists is None:
        short = {split: range(1, n + 1) for split, n in release.counts.items() if len(there[split]) < n}
        wanted = {split: list(map(str, names)) for split, names in short.items()}
    else:
        wanted = lists
    lacking = [f"{split}/{clip}" for split, names in wanted.items() for clip in names if clip not in there[split]]
    if lacking:
        raise incomplete(tree, title, lacking, "clips")
    clips: dict[str, list[ClipFiles]] = {}
    missing: list[str] = []
    for split, names in (there if lists is None else lists).items():
        clips[split] = []
        for name in names:
            clean, rainy = (runs.get((split, name, side), {}) for side in (False, True))
            clip, lost = pair(f"{split}/{name}", clean, rainy, release.first)
            clips[split].append(clip._replace(name=name))
            missing += lost
    if missing:
        raise incomplete(tree, title, missing)
    return clips


def _numbers(split: str, n: int) -> list[str]:
    """``1`` to ``n``, as the clips of either split are called."""
    del split
    return [str(number + 1) for number in range(n)]


def _place_named(level: str, split: str, clip: str, frame: int, shot: int | None) -> str:
    role = "gtc" if shot is None else "rfc"
    return f"frames_{level}_{split}_JPEG/{clip}/{role}-{frame + 1}.jpg"


def _place_all100(split: str, clip: str, frame: int, shot: int | None) -> str:
    role = "GT" if shot is None else "Rain_Haze"
    return f"Video_rain_synthesis_{split}/{role}/{clip}/{frame + 1}.jpg"


def _rainsyn25(name: str, title: str, level: str, stand_in: StandIn, later_counts: Mapping[str, int]) -> Dataset:
    """One of the two sets of 2018, in its first release or the later one."""
    roles = {"input": True, "processed": False, "gt": False}
    releases = (
        Release(_named_frames, {"train": 190, "test": 25}, 1),
        Release(partial(_role_folders, roles), later_counts, None),
    )
    return Dataset(
        name=name,
        title=title,
        convention="y",
        clips=partial(_clips, title=title, level=level, releases=releases),
        place=partial(_place_named, level),
        names=_numbers,
        shots=1,
        stand_in=stand_in,
    )


RAINSYNLIGHT25 = _rainsyn25("rainsynlight25", "RainSynLight25", "light", "rain-light", {"train": 189, "test": 27})
RAINSYNCOMPLEX25 = _rainsyn25("rainsyncomplex25", "RainSynComplex25", "heavy", "rain-heavy", {"train": 187, "test": 33})

_ALL100: Lists = {"train": read_list("rainsynall100_train"), "test": read_list("rainsynall100_test")}


def _all100_clips(tree: Tree, lists: Lists | None) -> dict[str, list[ClipFiles]]:
    release = Release(partial(_role_folders, {"rain_haze": True, "gt": False}), {}, 1)
    return _clips(tree, lists or _ALL100, title="RainSynAll100", level=None, releases=(release,))


RAINSYNALL100 = Dataset(
    name="rainsynall100",
    title="RainSynAll100",
    convention="y",
    clips=_all100_clips,
    place=_place_all100,
    names=partial(listed, "RainSynAll100", _ALL100),
    lists=_ALL100,
    shots=1,
    stand_in="rain-accumulated",
)
