"""A stand-in network and sampler, small enough that the tests of training take milliseconds an iteration.

Run as a script, it trains: ``train_samples.py FOLDER ITERATIONS SECONDS_BETWEEN_SAVES [MODULE_TO_PATCH]``.
"""

import contextlib
import csv
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from ncfl.data.sampler import Batch
from ncfl.models.outputs import State, Step
from ncfl.models.variants import m_f
from ncfl.train.config import TrainConfig, two_stages
from ncfl.train.restoration import TrainingResult, restoration_trainer


class Tiny(nn.Module):
    """Recurrent like the paper's network: a motion module, features that are carried on, and bits."""

    kind = "tiny"

    def __init__(self, *, width: int = 4, bits: bool = True, recurrent: bool = True) -> None:
        super().__init__()
        self.arguments = {"width": width, "bits": bits, "recurrent": recurrent}
        if recurrent:
            self.motion = nn.Conv2d(6, 2, 3, padding=1)
        self.features = nn.Conv2d(3 + (2 + width) * recurrent, width, 3, padding=1)
        self.frame = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x_t: Tensor, state: State | None = None) -> Step:
        inputs = [x_t]
        if self.arguments["recurrent"]:
            x_prev, c_prev = state or (x_t, x_t.new_zeros(len(x_t), self.arguments["width"], *x_t.shape[2:]))
            inputs += [self.motion(torch.cat((x_t, x_prev), 1)), c_prev]
        c_t = nn.functional.leaky_relu(self.features(torch.cat(inputs, 1)))
        bits = c_t.float().square().mean((1, 2, 3)) if self.arguments["bits"] else None
        state = State(x_t, c_t) if self.arguments["recurrent"] else None
        return Step(x_t + self.frame(c_t), state, bits)


class Sampler:
    """Smooth clips with noise; a pure function of (seed, iteration)."""

    def __init__(self, *, seed: int = 0, sigma: float = 25.0, frames: int = 3, broken: int | None = None) -> None:
        self.seed, self.sigma, self.frames, self.broken = seed, sigma, frames, broken
        self.asked: list[int] = []

    def batch(self, iteration: int) -> Batch:
        self.asked.append(iteration)
        generator = torch.Generator().manual_seed(1000 * self.seed + iteration)
        coarse = torch.rand(2, 3, 2, 2, generator=generator)
        frame = nn.functional.interpolate(coarse, (16, 16), mode="bilinear")
        clean = frame[:, None].expand(-1, self.frames, -1, -1, -1).contiguous()
        noisy = clean
        if self.sigma:
            noisy = clean + self.sigma / 255 * torch.randn(clean.shape, generator=generator)
        if iteration == self.broken:
            noisy = noisy * float("nan")
        names = [f"clip-{iteration}-a", f"clip-{iteration}-b"]
        return Batch(clean, noisy, torch.full((2,), self.sigma), names)


class Stop(Exception):
    """Of a :class:`Cut`."""


class Cut(Sampler):
    """Fails at one iteration, as if the process had ended there."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def batch(self, iteration: int) -> Batch:
        if iteration == self.at and len(self.asked) >= 2:  # the first two identify the training
            raise Stop
        return super().batch(iteration)


class Silent(contextlib.AbstractContextManager):
    """Takes a progress bar's place and remembers what it was shown."""

    def __init__(self, total: int, label: str, *, start: int = 0) -> None:
        self.total, self.label, self.start, self.shown = total, label, start, []
        made.append(self)

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, step: int, values: dict[str, float]) -> None:
        self.shown.append((step, values))


made: list[Silent] = []


def numbers(**changes: object) -> TrainConfig:
    """The stand-in's training: 6 + 6 iterations unless told otherwise."""
    few = {
        "stages": two_stages(6, 6),
        "learning_rate": 1e-2,
        "motion_learning_rate": 1e-3,
        "freeze_motion": 2,
        "lambda_": 0.01,
        "batch": 2,
        "frames": 3,
        "patch": 16,
        "log_every": 4,
        "average_over": 5,
        "device": "cpu",
        "workers": 0,
        "threads": 1,
        "checkpoint_seconds": 1e9,
    }
    return TrainConfig(**{**few, **changes})


def tiny(seed: int = 0, **arguments: object) -> Tiny:
    """The stand-in network with weights drawn from ``seed``."""
    torch.manual_seed(seed)
    return Tiny(**arguments)


def run(folder: Path, training: TrainConfig | None = None, *, stage: int = 0, **changes: object) -> TrainingResult:
    """Train the stand-in in ``folder``; anything can be changed by name."""
    training = training or numbers()
    arguments = {
        "model": None,
        "sampler": None,
        "training": training,
        "stage": training.stages[stage],
        "initial": None,
        "output": folder / training.stages[stage].name,
        "resume": folder / "resume",
        "progress": Silent,
    }
    arguments |= changes
    arguments["model"] = arguments["model"] or tiny()
    arguments["sampler"] = arguments["sampler"] or Sampler()
    return restoration_trainer(**{"config": arguments.pop("training"), **arguments}).run()


def curve(folder: Path) -> list[dict[str, float]]:
    """What a training's first stage logged."""
    with (folder / "stage1/history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def cut(folder: Path, training: TrainConfig, at: int, **changes: object) -> None:
    """Train the stand-in as :func:`run` does, until the process seems to end at an iteration."""
    import pytest

    with pytest.raises(Stop):
        run(folder, training, sampler=Cut(at), **changes)


def small_ncfl() -> nn.Module:
    """A whole network of the paper, as small as can be."""
    torch.manual_seed(0)
    widths = {"unet_widths": (4, 4, 4, 4, 4), "attention_widths": (4, 4, 4)}
    return m_f(**widths, feature_width=4, flow_width=0.1, mv_width=4, latent_width=4)


class _Slow(Sampler):
    # Leaves time to be killed in the middle of an iteration; the numbers stay the same.
    def batch(self, iteration: int) -> Batch:
        time.sleep(0.01)
        print(iteration, flush=True)
        return super().batch(iteration)


if __name__ == "__main__":
    directory, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    run(directory, numbers(stages=two_stages(count, 0), checkpoint_seconds=seconds), sampler=_Slow())
