"""REVIDE: real scenes filmed with and without haze: 42 sequences to train on, 6 to test on (the indoor release).

    REVIDE_Indoor.zip
    REVIDE_indoor/{Train,Test}/{hazy,gt}/<sequence>/00000.JPG, 00001.JPG, ...    2708x1800

A hazy frame and its clean one have the same number.
"""

from collections.abc import Sequence

from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, Tree
from ncfl.data.datasets.sequences import Lengths, folders_by_name, numbered, read_counts, the_one

TITLE = "REVIDE"
SUFFIXES = (".jpg", ".jpeg")
KINDS = ("gt", "hazy")
PUBLISHED = {split: read_counts(f"revide_{split}") for split in ("train", "test")}


def _clips(tree: Tree, lists: Lists | None) -> dict[str, list[ClipFiles]]:
    lengths = Lengths()
    clips: dict[str, list[ClipFiles]] = {}
    for split, names in (PUBLISHED if lists is None else lists).items():
        found = {kind: _sequences(tree, split, kind, names) for kind in KINDS}
        clips[split] = []
        for name in names:
            frames = {kind: found[kind][name] for kind in KINDS}
            count = "" if lists is not None else PUBLISHED[split][name]
            _check(lengths, split, name, frames, count)
            clean, hazy = (tuple(frames[kind].values()) for kind in KINDS)
            clips[split].append(ClipFiles(name, clean, (hazy,)))
    lengths.refuse(tree, TITLE)
    return clips


def _sequences(tree: Tree, split: str, kind: str, names: Sequence[str]) -> dict[str, dict[int, str]]:
    """The numbered frames of each sequence in ``<split>/<kind>/<name>``; none where it is not there."""

    def here(parts: Sequence[str]) -> bool:
        return [part.lower() for part in parts[-3:-1]] == [split, kind]

    found = folders_by_name(tree, SUFFIXES, here)
    within = f"{split.title()}/{kind}"
    folders = {name: the_one(tree, TITLE, f"{within}/{name}", found.get(name.casefold(), ())) for name in names}
    return {name: {} if f is None else numbered(tree.within(f, SUFFIXES)) for name, f in folders.items()}


def _check(lengths: Lengths, split: str, name: str, frames: dict[str, dict[int, str]], count: str) -> None:
    """Whether both kinds of a sequence are whole; a frame of the one must be there in the other too."""
    numbers = [number for of_kind in frames.values() for number in of_kind]
    first, last = min(numbers, default=None), max(numbers, default=None)
    for kind, of_kind in frames.items():
        lengths.check(f"{split.title()}/{kind}/{name}", of_kind, count, first, last)


def _place(split: str, clip: str, frame: int, shot: int | None) -> str:
    return f"REVIDE_indoor/{split.title()}/{'gt' if shot is None else 'hazy'}/{clip}/{frame:05d}.JPG"


REVIDE = Dataset(
    name="revide",
    title=TITLE,
    convention="rgb8",
    clips=_clips,
    place=_place,
    lists={split: tuple(names) for split, names in PUBLISHED.items()},
    shots=1,
    size=(1800, 2708),
    stand_in="haze",
)
