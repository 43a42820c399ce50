"""Some sequences of a published dataset, where one has no more: as strictly read as all of it."""

import dataclasses
import difflib
from collections.abc import Sequence

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import ClipFiles, Dataset, Lists, Tree


def part_of(dataset: Dataset, names: Sequence[str] | None) -> Dataset:
    """The dataset as if it consisted of these sequences; itself where ``names`` is None.

    Raises:
        InputError: a name that no published list has, or a dataset without such lists.
    """
    if names is None:
        return dataset
    if dataset.lists is None:
        raise InputError(f"part: expected null, since {dataset.title} has no published list of sequences, got a list")
    known = [name for listed in dataset.lists.values() for name in listed]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or known[:3]
            raise InputError(
                f"part: expected sequences of {dataset.title}, such as {', '.join(near)} "
                f"({len(known)} in all), got {name!r}"
            )
    kept = {split: tuple(name for name in listed if name in names) for split, listed in dataset.lists.items()}
    lists = {split: listed for split, listed in kept.items() if listed}

    def clips(tree: Tree, others: Lists | None) -> dict[str, list[ClipFiles]]:
        tree.published_lengths = True
        return dataset.clips(tree, lists if others is None else others)

    return dataclasses.replace(dataset, clips=clips, lists=lists)
