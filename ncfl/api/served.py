"""What ``mlflow.pyfunc.load_model`` loads: a network of a training, by the reference to its checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, sha256
from ncfl.config import layout

if TYPE_CHECKING:
    from ncfl.methods.interface import Method


class Served:
    """A network that restores clips, in the shape that MLflow asks of a model."""

    def __init__(self, method: "Method") -> None:
        self.method = method

    def predict(self, frames: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """Restore a clip: uint8 [T,H,W,3] in, the same out, as :func:`ncfl.restore` does it."""
        from ncfl.api.frames import restore

        return restore(frames, method=self.method)


def _load_pyfunc(path: str) -> Served:
    """The model of a reference: the project is the one in which the reference lies, or else the working folder.

    Raises:
        InputError: a damaged reference, no checkpoint where it points to, or another one by now.
    """
    from ncfl.api.frames import load_method

    reference = read_json(Path(path))
    if not isinstance(reference, dict) or not reference.keys() >= {"path", "sha256"}:
        raise InputError(f"{path}: expected the path and the sha256 of a checkpoint")
    checkpoint = _project(Path(path).resolve()) / reference["path"]
    found = sha256(checkpoint) if checkpoint.is_file() else "nothing"
    if found != reference["sha256"]:
        raise InputError(
            f"{checkpoint}: expected the checkpoint with sha256 {reference['sha256']} that this model was registered "
            f"with, got {found}; load the latest version, or train it again"
        )
    return Served(load_method(checkpoint))


def _project(path: Path) -> Path:
    tail = layout.MLFLOW.parts
    for folder in path.parents:
        if folder.parts[-len(tail) :] == tail:
            return folder.parents[len(tail) - 1]
    return Path.cwd()
