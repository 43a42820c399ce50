"""What ``torch.save`` wrote: read without running anything of it, and only where its checksums are right."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ncfl.common.errors import InputError
from ncfl.weights import pickled

# What is found in place of a file whose download went wrong.
IMPOSTORS = {b"<": "a web page", b"version https://git-lfs": "a Git LFS pointer"}


def read_archive(file: Path, stand_ins: Sequence[str] = ()) -> Any:
    """The tensors and plain data of a file, on the CPU.

    Args:
        file: what ``torch.save`` wrote, whatever it is called.
        stand_ins: how the names of Python classes begin that the file may mention beside its tensors
            (:mod:`ncfl.weights.pickled`). Without any, such a file is refused.

    Raises:
        InputError: missing, empty, truncated, damaged, no such file, or a Python class that is not allowed.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"{file}: not a file" if file.exists() else f"{file}: no such file")
    size = file.stat().st_size
    if not size:
        raise InputError(f"{file}: expected a checkpoint, got an empty file")
    _check_start(file)
    try:
        _check_sums(file)
        return _loaded(file, stand_ins)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"the Python object {wanted[1]}, which is never loaded" if wanted else "no checkpoint"
        raise InputError(f"{file}: expected tensors (a state_dict) saved by torch.save, got {reason}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way that its reader knows
        reason = str(error).split("\n", 1)[0][:100] or type(error).__name__
        found = f"a truncated or damaged file of {size} bytes ({reason})"
        raise InputError(f"{file}: expected a checkpoint, got {found}") from None


def _check_start(file: Path) -> None:
    with file.open("rb") as opened:
        head = opened.read(64).lstrip()
    for start, found in IMPOSTORS.items():
        if head.startswith(start):
            raise InputError(f"{file}: expected a checkpoint, got {found}")


def _check_sums(file: Path) -> None:
    """PyTorch does not hold the weights against their checksums: a flipped bit would pass."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"checksum of {damaged}")


def _loaded(file: Path, stand_ins: Sequence[str]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unusual version of pickle, which is then read or refused
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if not stand_ins:
            raise
        return pickled.read(file, stand_ins)
