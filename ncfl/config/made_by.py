"""Which of the package's files make what: an edit there makes the results of a step stale, in both engines.

Where files come from (data/sources.csv) and how (data/transport) does not change what they hold. Nor are figures those
of other versions of torch and the like: versions.txt has them, as requirements.lock pins them.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from ncfl.common.errors import InputError

# What is of no one step: what a step begins with, how its files are written.
_ALL_BY = ("versions.txt", "steps/common.py", "common/files.py")
_COMPUTED_BY = (*_ALL_BY, "common/device.py")
BROUGHT_BY = (
    *_ALL_BY,
    "data/fetch.py",
    "data/sources",
    "data/datasets",
    "data/splits",
    "data/synthetic",
    "media",
    "common/pyav.py",
    "data/bayer.py",
    "data/frames.py",
    "steps/data.py",
)
PREPARED_BY = (*BROUGHT_BY, "data/prepare.py", "data/store.py", "data/store_writer.py")
FLOW_BY = (
    *_COMPUTED_BY,
    "data/synthetic",
    "data/variety.py",
    "models",
    "train",
    "weights",
    "methods/spynet6",  # whose names of weights `motion.weights` may bear
    "steps/training.py",
)
TRAINED_BY = (
    *_COMPUTED_BY,
    "data/store.py",
    "data/sampler.py",
    "data/variety.py",
    "data/camera.py",
    "data/isp.py",
    "data/degradations.py",
    "data/bayer.py",
    "media/planes.py",
    "common/pyav.py",
    "models",
    "train",
    "weights",
    "steps/training.py",
)
COMPARED_BY = (*TRAINED_BY, "methods", "steps/comparing.py")
MEASURED_BY = (
    *_COMPUTED_BY,
    "data/sources",
    "data/datasets",
    "data/splits",
    "data/synthetic",
    "data/frames.py",
    "media",
    "common/pyav.py",
    "data/store.py",
    "data/degradations.py",
    "data/bayer.py",
    "data/isp.py",
    "evaluate",
    "methods",
    "models",
    "weights",
    "steps/evaluation.py",
    "steps/importing.py",
)
COUNTED_BY = (*_ALL_BY, "models", "methods", "weights", "profile/complexity.py", "report", "steps/complexity.py")
SHOWN_BY = (*_ALL_BY, "config", "report", "methods", "steps/reporting.py")
DRAWN_BY = (*SHOWN_BY, "models")


def check_lock(lock: Path = Path("requirements.lock"), versions: Path = Path("ncfl/versions.txt")) -> None:
    """Refuse a lock of other versions than those that the graph watches, and that figures therefore come from.

    Raises:
        InputError: names a version that both files have differently, and what writes them.
    """
    if not (lock.is_file() and versions.is_file()):
        return
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.M))
    for line in versions.read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if locked.get(name) != version:
            raise InputError(
                f"{lock}: {name}: found {locked.get(name, 'none')}, expected {version}, as {versions} has it; "
                "`make lock` writes both, and makes due what depends on it"
            )


def source_files(parts: Iterable[str]) -> list[Path]:
    """The files in or below parts of ``ncfl/`` that the package loads, as paths from the project's folder."""
    found: list[Path] = []
    for part in parts:
        path = Path("ncfl", part)
        found += sorted(path.rglob("*.*")) if path.is_dir() else [path]
    return [path for path in found if _is_source(path)]


def _is_source(path: Path) -> bool:
    """Whether the package loads a file: not what Python and editors leave beside it."""
    return "__pycache__" not in path.parts and not path.name.startswith((".", "#")) and not path.name.endswith("~")
