"""Datasets of degraded and clean frames that share a number: sorting pictures into runs, and pairing runs."""

import re
from collections.abc import Callable, Hashable, Mapping
from itertools import islice

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import MOST_NAMED, ClipFiles, Lists, Tree

PICTURES = (".jpg", ".jpeg", ".png")
Run = Mapping[int, str]  # frame number -> path


def number_runs(tree: Tree, key: Callable[[str], tuple[Hashable, int] | None]) -> dict[Hashable, dict[int, str]]:
    """Sort pictures into numbered runs.

    Args:
        tree: files; those that are no pictures are left out.
        key: path -> (which run, frame number); None: left out.

    Raises:
        InputError: one frame twice.
    """
    runs: dict[Hashable, dict[int, str]] = {}
    for path in tree.files:
        found = key(path) if path.lower().endswith(PICTURES) else None
        if found is None:
            continue
        run, frame = found
        other = runs.setdefault(run, {}).setdefault(frame, path)
        if other != path:
            raise InputError(f"{tree.root}: expected each frame once, got {other} and {path}; keep one of them")
    return runs


def pair(name: str, clean: Run, rainy: Run, first: int | None, *, surplus: bool = False) -> tuple[ClipFiles, list[str]]:
    """Put frames of one number together.

    Args:
        name: of the clip.
        clean, rainy: its frames.
        first: number that the first frame must have; None: the lowest there is.
        surplus: clean frames after the last rainy one are no mistake, and left out.

    Returns:
        The clip, and what it lacks: frames on one side alone, and gaps in the numbers; at most
        :data:`ncfl.data.datasets.interface.MOST_NAMED` of either side.
    """
    empty = [f"{name} (all {what} frames)" for what, run in (("clean", clean), ("rainy", rainy)) if not run]
    if empty:
        return ClipFiles(name, ()), empty
    lowest = min(*clean, *rainy)
    last = max(rainy) if surplus else max(*clean, *rainy)
    numbers = range(lowest if first is None else min(first, lowest), last + 1)
    missing = [path for run in (rainy, clean) for path in _absent(run, numbers)]
    shots = [tuple(run[number] for number in sorted(run) if number in numbers) for run in (clean, rainy)]
    return ClipFiles(name, shots[0], (shots[1],)), missing


def _absent(run: Run, numbers: range) -> list[str]:
    """The paths of the first frames that a run lacks."""
    absent = (number for number in numbers if number not in run)
    return [_sibling(run, number) for number in islice(absent, MOST_NAMED)]


def _sibling(run: Run, number: int) -> str:
    """The path that the run's frame of that number would have."""
    head, digits, suffix = re.fullmatch(r"(.*?)(\d+)(\.\w+)", run[min(run)]).groups()
    return f"{head}{number:0{len(digits) if digits.startswith('0') else 1}d}{suffix}"


def listed(title: str, lists: Lists, split: str, n: int) -> list[str]:
    """The first ``n`` names of a split.

    Raises:
        InputError: it has fewer.
    """
    if n > len(lists[split]):
        raise InputError(f"{title}: expected at most {len(lists[split])} clips in its {split} split, got {n}")
    return list(lists[split][:n])
