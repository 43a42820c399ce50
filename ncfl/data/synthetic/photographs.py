"""The photographs that ship inside the scikit-image and scikit-learn wheels, read by file path.

Neither package is imported: that would cost a second, and scikit-image's own loaders may download. The files
are found beside the installed packages, so there is no network and no cache folder.
"""

import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from ncfl.common.errors import InputError

# name: (package, file inside it). The stereo pair of the motorcycle counts as one photograph: its left view.
FILES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "ihc": ("skimage", "data/ihc.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
}
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}

# Disjoint, so that no test clip shows anything a network has seen. Richest first: few clips use the first.
TRAIN_PHOTOGRAPHS = ("china", "motorcycle", "astronaut", "ihc", "brick", "retina")
TEST_PHOTOGRAPHS = ("chelsea", "coffee", "flower", "rocket")


@functools.cache
def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"package {DISTRIBUTIONS[package]}: it is not installed, and the embedded photographs come with it; "
            f"pip install {DISTRIBUTIONS[package]}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def path(name: str) -> Path:
    """The file of one photograph.

    Raises:
        InputError: an unknown name, a package that is not installed, or a wheel without the file.
    """
    if name not in FILES:
        raise InputError(f"photograph: expected one of {', '.join(sorted(FILES))}, got {name!r}")
    package, file = FILES[name]
    found = _package_folder(package) / file
    if not found.is_file():
        raise InputError(
            f"{found}: it is missing, since this version of {DISTRIBUTIONS[package]} does not ship it; install another"
        )
    return found


def load(names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read photographs.

    Args:
        names: keys of :data:`FILES`.

    Returns:
        name -> read-only uint8 [H,W,3] in RGB order, in the order of ``names``; a gray photograph has three
        equal channels.

    Raises:
        InputError: as :func:`path`, or a file that is no readable image.
    """
    loaded = {}
    for name in names:
        file = path(name)
        image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise InputError(f"{file}: it cannot be read as an image; install {DISTRIBUTIONS[FILES[name][0]]} again")
        image.flags.writeable = False
        loaded[name] = image
    return loaded
