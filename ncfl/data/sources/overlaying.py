"""Laying folders over each other, as people do with what a server split over several archives."""

import filecmp
import shutil
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import Tree
from ncfl.media.pictures import IMAGE_SUFFIXES


def overlay(folders: list[Path], target: Path) -> None:
    """Move all files of the folders to where they would lie if all were unpacked into ``target``.

    The same file twice is kept once. Of texts beside the pictures, which every part may bring anew, the first is kept.

    Raises:
        InputError: two folders with different pictures of one name: two versions of a dataset; names both.
    """
    came: dict[str, Path] = {}
    for folder in folders:
        for name in Tree(folder).files:
            place = target / name
            if name not in came:
                place.parent.mkdir(parents=True, exist_ok=True)
                (folder / name).replace(place)
                came[name] = folder
            elif name.lower().endswith(IMAGE_SUFFIXES) and not filecmp.cmp(folder / name, place, shallow=False):
                raise InputError(
                    f"{name}: found two different pictures of this name, from {came[name].name} and from "
                    f"{folder.name}; expected one version of the dataset: remove the archives of the other one"
                )
    for folder in folders:
        shutil.rmtree(folder)
