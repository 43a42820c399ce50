"""The resume state: a killed training goes on where it was, and ends with the same bits."""

import collections
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
from ncfl.train.optimizer import AdamW, moments, restore_moments
from ncfl.weights import checkpoint

logger = logging.getLogger(__name__)


class TrainingState:
    """Everything that an iteration reads and writes.

    Args:
        model: not compiled; on its device, in its memory layout.
        optimizer: from :func:`ncfl.train.optimizer.adamw`.
        scaler: the gradient scaler (perhaps switched off).
        keep: how many iterations' values to remember for averages.

    ``done`` counts finished iterations of this stage; ``recent`` holds the last iterations' values, ``history`` the
    points of the curves so far: (iteration of the whole training, values).
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: AdamW,
        scaler: torch.amp.GradScaler,
        *,
        keep: int,
    ) -> None:
        self.model, self.optimizer, self.scaler = model, optimizer, scaler
        self.recent: collections.deque[dict[str, float]] = collections.deque(maxlen=keep)
        self.history: list[tuple[int, dict[str, float]]] = []
        self.done = 0

    def continuation(self) -> dict[str, Any]:
        """What the next stage takes over beside the weights."""
        return {"moments": moments(self.optimizer), "scaler": self.scaler.state_dict()}

    def take_over(self, continuation: Mapping[str, Any]) -> None:
        """Go on from another stage's :meth:`continuation`."""
        restore_moments(self.optimizer, continuation["moments"])
        if continuation["scaler"]:  # empty where the precision needed none
            self.scaler.load_state_dict(dict(continuation["scaler"]))

    def snapshot(self) -> dict[str, Any]:
        """The whole state, the random generators' included."""
        return {
            "model": self.model.state_dict(),
            **self.continuation(),
            "done": self.done,
            "recent": list(self.recent),
            "history": self.history,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a :meth:`snapshot`."""
        self.model.load_state_dict(snapshot["model"])
        self.take_over(snapshot)
        self.done = snapshot["done"]
        self.recent.extend(snapshot["recent"])
        self.history = [(step, values) for step, values in snapshot["history"]]
        torch.set_rng_state(snapshot["random"])
        if snapshot["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(snapshot["random_cuda"])

    def mean(self, last: int) -> dict[str, float]:
        """Mean of each value over the ``last`` iterations that are remembered."""
        rows = list(self.recent)[-last:]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}


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

    def restore(self, state: TrainingState) -> bool:
        """Bring ``state`` to what is on disk; False where there is none, or none readable (a warning)."""
        self._sweep()
        if not self.path.exists():
            return False
        try:
            snapshot = checkpoint.read(self.path)
            if not isinstance(snapshot, dict) or snapshot.get("key") != self.key:
                raise InputError(f"{self.path}: not the resume state of this training")
        except InputError as error:
            logger.warning("resume state ignored, training starts anew: %s", error)
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
