"""Datasets whose sequences are folders of numbered pictures: finding them, and saying what they lack."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import MOST_NAMED, ClipFiles, Lists, Tree, incomplete, read_list


def plain_clips(
    tree: Tree,
    title: str,
    lists: Lists | None,
    published: Mapping[str, Mapping[str, str]],
    suffixes: Sequence[str],
    *,
    accept: Callable[[Sequence[str]], bool] = lambda parts: True,
    first: int | None = None,
) -> dict[str, list[ClipFiles]]:
    """The clips of a dataset without degraded frames, a folder of numbered pictures for each sequence.

    Args:
        tree: the unpacked files; the folders may lie anywhere in it.
        title: of the dataset, for messages.
        lists: names by split; None: the published ones, whose numbers of frames are checked too.
        published: by split, name -> number of frames, as :func:`read_counts` gives it.
        suffixes: of the pictures, lower case, with dot.
        accept: whether a folder of a sequence's name, given by the parts of its whole path, can be the sequence.
        first: number of a sequence's first frame; None: any.

    Raises:
        InputError: a sequence or frames are missing, a sequence is there twice or longer than published; named.
    """
    found = folders_by_name(tree, suffixes, accept)
    lengths = Lengths()
    clips: dict[str, list[ClipFiles]] = {}
    for split, names in (published if lists is None else lists).items():
        clips[split] = []
        for name in names:
            folder = the_one(tree, title, name, found.get(name.casefold(), ()))
            frames = numbered(tree.within(folder, suffixes)) if folder is not None else {}
            known = lists is None or tree.published_lengths
            lengths.check(name, frames, published[split][name] if known else "", first)
            clips[split].append(ClipFiles(name, tuple(frames.values())))
    lengths.refuse(tree, title)
    return clips


def read_counts(name: str) -> dict[str, str]:
    """``splits/<name>.txt`` as name -> number of frames: "82", "85+" for at least so many, "" where not known."""
    return {clip: count for clip, _, count in (line.partition(" ") for line in read_list(name))}


def folders_by_name(
    tree: Tree, suffixes: Sequence[str], accept: Callable[[Sequence[str]], bool] = lambda parts: True
) -> dict[str, list[str]]:
    """The folders that directly hold numbered pictures, by their last component, in whose case copies differ: folded.

    ``accept`` is given the parts of the whole path: a user may point at a folder inside of the layout.
    """
    above = tree.root.resolve().parts
    found: dict[str, list[str]] = defaultdict(list)
    for folder in tree.folders():
        parts = (*above, *PurePosixPath(folder).parts)
        if numbered(tree.within(folder, suffixes)) and accept(parts):
            found[parts[-1].casefold()].append(folder)
    return found


def the_one(tree: Tree, title: str, name: str, folders: Sequence[str]) -> str | None:
    """The folder of a sequence; None where there is none.

    Raises:
        InputError: several.
    """
    if len(folders) > 1:
        raise InputError(
            f"{tree.root}: expected {name} of {title} once, got {', '.join(folders)}; keep one, or name the folder of "
            "one copy"
        )
    return folders[0] if folders else None


def numbered(pictures: Iterable[str]) -> dict[int, str]:
    """The frames among the pictures of a folder: number -> path, in order.

    A frame's name ends with its number. Where names differ in what stands before it, the most frequent kind is
    the sequence; other pictures (``cover.jpg``, ``00003 (copy).jpg``) are no frames.
    """
    kinds: dict[str, dict[int, str]] = defaultdict(dict)
    for name in pictures:
        match = re.fullmatch(r"(.*?)([0-9]+)", PurePosixPath(name).stem)
        if match:
            kinds[match[1]].setdefault(int(match[2]), name)
    frames = max(kinds.values(), key=len, default={})
    return dict(sorted(frames.items()))


def gaps(frames: Mapping[int, str], first: int | None = None, last: int | None = None) -> list[str]:
    """The paths of frames that are missing from ``first`` to ``last``, by default the first and last there."""
    if not frames:
        return []
    start = min(frames) if first is None else first
    end = max(frames) if last is None else last
    like = PurePosixPath(frames[min(frames)])
    digits = re.search(r"[0-9]+\Z", like.stem)[0]
    kind = like.stem.removesuffix(digits)
    absent = (number for number in range(start, end + 1) if number not in frames)
    absent = islice(absent, MOST_NAMED)
    return [str(like.with_name(f"{kind}{number:0{len(digits)}d}{like.suffix}")) for number in absent]


class Lengths:
    """Collects what sequences lack or have too much of, so that all of it is said at once."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._surplus: list[str] = []

    def check(
        self, name: str, frames: Mapping[int, str], count: str, first: int | None = None, last: int | None = None
    ) -> None:
        """Compare one sequence.

        Args:
            name: as messages call it.
            frames: of :func:`numbered`; empty: the whole sequence is missing.
            count: how many there should be, as in :func:`read_counts`.
            first, last: numbers of the first and last frame; None: those there.
        """
        if not frames:
            self.missing.append(name)
            return
        absent = gaps(frames, first, last)
        self.missing += absent
        published = int(count.rstrip("+") or 0)
        if len(frames) + len(absent) < published:  # cut off at an end
            self.missing.append(f"{published - len(frames) - len(absent)} of the {published} frames of {name}")
        elif count and not count.endswith("+") and len(frames) > published:
            self._surplus.append(f"{name} with {len(frames)} frames instead of {published}")

    def refuse(self, tree: Tree, title: str) -> None:
        """Raise an :class:`InputError` that names everything, if there is anything."""
        if self.missing:
            raise incomplete(tree, title, self.missing, "sequences or frames")
        if self._surplus:
            more = f" and {len(self._surplus) - 5} more" if len(self._surplus) > 5 else ""
            raise InputError(f"{tree.root}: expected {title} as published, got {', '.join(self._surplus[:5])}{more}")
