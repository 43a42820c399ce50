"""The numbers of one training of a recipe, for the windows and the machine that it is run with."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ncfl.common.device import pick_device
from ncfl.release.footage import Phase
from ncfl.release.recipes import SIGMA
from ncfl.train.config import Stage, TrainConfig


def training_numbers(
    given: Mapping[str, Any],
    phases: Sequence[Phase],
    stages: tuple[Stage, ...],
    *,
    seed: int,
    threads: int,
    device: str,
    **own: Any,
) -> TrainConfig:
    """The numbers of a pretraining.

    Args:
        given: those of a recipe; in a short training, warm-up and rest of the motion estimation are shortened.
        phases: its windows. Those in the numbers are of the first.
        stages: its schedule.
        seed: of every draw.
        threads: of PyTorch on the CPU.
        device: auto, cpu or cuda.
        own: numbers that differ from all that.
    """
    place, total, phase = pick_device(device), sum(stage.iterations for stage in stages), phases[0]
    return TrainConfig(
        **{
            **given,
            "warmup": min(given.get("warmup", 0), total // 10),
            "freeze_motion": min(given.get("freeze_motion", 0), total // 20),
            "stages": stages,
            "batch": phase.batch,
            "frames": phase.frames,
            "patch": phase.patch,
            "sigma": SIGMA,
            "seed": seed,
            "precision": precision_of(place),
            "workers": 8 if place.type == "cuda" else 0,
            "threads": threads,
            "device": device,
            "channels_last": True,
            "log_every": 10,
            **own,
        }
    )


def precision_of(device: torch.device) -> str:
    """Of a pretraining's forward pass."""
    return "bfloat16" if device.type == "cuda" else "float32"
