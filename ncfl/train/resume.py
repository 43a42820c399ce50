"""The resume state: a killed training goes on where it was, and ends with the same bits."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ncfl
from ncfl.common.errors import InputError
from ncfl.train.state import TrainingState
from ncfl.weights import checkpoint
from ncfl.weights.archive import read_archive

logger = logging.getLogger(__name__)


class ResumeFile:
    """The resume state of one training on disk: ``<folder>/<key>.pt``.

    Args:
        folder: where it lies; no output of any step, so that nobody removes it when the step fails.
        key: from :func:`key_of`; a file of another configuration has another key and is not looked at.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.key, self.path = key, Path(folder) / f"{key}.pt"

    def save(self, state: TrainingState) -> None:
        """Write the state; the old file stays until the new one is whole."""
        checkpoint.write(self.path, {"key": self.key, **state.snapshot()})

    def restore(self, state: TrainingState, *, at_most: int) -> bool:
        """Bring ``state`` to what is on disk, at most so many iterations; False where there is none.

        A file that is damaged is set aside with a warning, and the training starts over.
        """
        self._sweep()
        if not self.path.exists():
            return False
        try:
            snapshot = read_archive(self.path)
            if not isinstance(snapshot, dict) or snapshot.pop("key", None) != self.key:
                raise InputError("not the resume state of this training")
            state.check(snapshot, at_most=at_most)
        except InputError as error:
            aside = self.path.with_suffix(".damaged")
            self.path.replace(aside)
            reason = str(error).removeprefix(f"{self.path}: ")
            logger.warning(
                "%s: the resume state is damaged (%s); it is kept as %s, and the training starts over",
                self.path,
                reason,
                aside.name,
            )
            return False
        state.restore(snapshot)
        return True

    def remove(self) -> None:
        """Forget the state, and the folder with it where that is empty now."""
        self._sweep()
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def _sweep(self) -> None:
        # A kill during a write leaves its temporary file, which can be as large as the state itself.
        for leftover in self.path.parent.glob(f".{self.key}.*"):
            if leftover.name != f".{self.key}.{os.getpid()}.pt":
                leftover.unlink(missing_ok=True)


def key_of(configuration: Mapping[str, Any], **tensors: Mapping[str, Tensor]) -> str:
    """Name a training by what decides its result.

    Args:
        configuration: plain data.
        tensors: by name, for instance the initial weights and the first batch.

    Returns:
        32 hexadecimal digits; other data, weights, numbers or version of this program give others.
    """
    digest = hashlib.sha256(json.dumps([ncfl.__version__, configuration], sort_keys=True).encode())
    for group, values in tensors.items():
        for name, value in values.items():
            array = value.detach().cpu().contiguous()
            digest.update(f"{group} {name} {array.dtype} {tuple(array.shape)}".encode())
            digest.update(array.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


SOURCES = ("common/device.py", "data/*.py", "models/**/*.py", "train/**/*.py", "weights/**/*.py")
COMPARED = ("methods/**/*.py",)  # of a compared method besides


def source_digest(model: nn.Module) -> str:
    """A digest of the files of this package that decide what a training of ``model`` comes to.

    A training that was killed does not go on with other code than it began with. They are those that the steps of
    both engines watch.
    """
    root = Path(ncfl.__file__).parent
    patterns = SOURCES + (COMPARED if type(model).__module__.startswith("ncfl.methods.") else ())
    digest = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in root.glob(pattern)}):
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
