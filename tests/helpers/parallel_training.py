"""Small trainings of several processes; what each process runs must be importable by it."""

from pathlib import Path

import torch

from helpers.train_samples import Sampler, numbers, run, small_ncfl
from ncfl.train.config import two_stages
from ncfl.train.parallel import followed

COUNT = 8


class Four(Sampler):
    """Four clips in a batch."""

    def batch(self, iteration: int):
        """Two batches of two clips as one."""
        first, second = super().batch(2 * iteration), super().batch(2 * iteration + 1)
        clean, noisy, sigma = (torch.cat(pair) for pair in zip(first[:3], second[:3], strict=True))
        return type(first)(clean, noisy, sigma, first.clips + second.clips)


def train(folder: Path, **changes: object) -> None:
    """Eight iterations of a small M_f on four clips; changes are those of the sampler and of the numbers."""
    broken = changes.pop("broken", None)
    few = {"stages": two_stages(COUNT, 0), "batch": 4, "freeze_motion": 3, "lambda_": 1e-3, "log_every": 1}
    run(folder, numbers(**{**few, **changes}), model=small_ncfl(), sampler=Four(frames=4, broken=broken))


def follow(folder: Path, changes: dict[str, object]) -> None:
    """What the processes beside the first run."""
    train(folder, **changes)


def train_together(folder: Path, count: int, **changes: object) -> None:
    """The same training by ``count`` processes."""
    with followed(count, follow, folder, changes):
        train(folder, **changes)
