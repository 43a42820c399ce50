"""The recipes: sizes of the network, numbers of its training. All numbers of a pretraining stand here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ncfl.common.device import pick_device
from ncfl.data.footage import Phase
from ncfl.train.config import Stage, TrainConfig

SIGMA = (0.0, 55.0)  # noise range, 0..255
SEED = 2022
# Of warm restarts: files of 8 bits and gray ones beside ideal noise; motion that the memory must not be trusted after.
FILES = {"clipped": 0.5, "gray": 0.15, "cuts": 0.15, "speeds": (1, 1, 1, 2, 3, 5)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is pretrained.

    Args:
        name: of the experiment.
        sizes: of the network M_f; what is not named has the published value.
        flow: width and motion of the rendered pairs, for :func:`ncfl.train.motion.from_pack.level_by_level`.
        training: numbers of :class:`ncfl.train.config.TrainConfig` beside stages, windows and machine.
        phases: the windows of a training from the start.
        going_on: those of a warm restart, and
        again: numbers that differ there.
        with_memory: windows of a warm restart that first gives the network a memory: single frames, then clips.
        iterations: flow, stage 1, stage 2, where the command names none.
    """

    name: str
    sizes: Mapping[str, Any]
    flow: Mapping[str, Any]
    training: Mapping[str, Any]
    phases: tuple[Phase, ...]
    going_on: tuple[Phase, ...]
    again: Mapping[str, Any]
    with_memory: tuple[Phase, ...]
    iterations: tuple[int, int, int]


HALF = Recipe(
    name="ncfl-half",
    sizes={
        "unet_widths": (16, 32, 64, 128, 256),
        "feature_width": 24,
        "flow_width": 0.5,
        "mv_width": 32,
        "latent_width": 32,
        "attention_widths": (8, 16, 32),
        "attention_blocks": 3,
    },
    flow={"width": 0.5, "max_motion": 16.0},
    training={
        "learning_rate": 1e-3,  # five times the published: thousands of iterations, not a hundred thousand
        "motion_learning_rate": 1e-4,
        "warmup": 100,
        "freeze_motion": 200,
        "betas": (0.9, 0.99),
        "grad_clip": 1.0,
    },
    # Short clips learn the single frame cheaply; long ones then teach what memory is for.
    phases=(Phase(0.6, 2, 5, 64), Phase(0.4, 2, 8, 64)),
    # Wide windows at the end: means over a whole frame, which channel attention takes, differ from those over a patch.
    going_on=(Phase(0.6, 2, 7, 64), Phase(0.4, 1, 6, 96)),
    again={"learning_rate": 3e-4, "motion_learning_rate": 3e-5, "freeze_motion": 0, **FILES},
    with_memory=(Phase(0.1, 8, 1, 64), Phase(0.9, 2, 5, 64)),
    iterations=(9300, 2000, 7500),
)

# For previews: a quarter of the published width, and motion estimation of half the width on frames of half the size,
# since a narrower one misses more than coarser frames do. 24 latents are the fewest that a memory can begin with.
FAST = Recipe(
    name="ncfl-fast",
    sizes={
        "unet_widths": (8, 16, 32, 64, 128),
        "feature_width": 12,
        "flow_width": 0.5,
        "flow_reduction": 2,
        "mv_width": 16,
        "latent_width": 24,
        "attention_widths": (4, 8, 16),
        "attention_blocks": 3,
    },
    flow=HALF.flow,
    training={**HALF.training, **FILES},
    phases=(Phase(1.0, 8, 1, 64),),  # single frames alone; the memory comes with a warm restart
    going_on=(Phase(0.5, 2, 7, 64), Phase(0.5, 2, 7, 96)),
    again={**HALF.again, "learning_rate": 5e-4},
    with_memory=(Phase(0.1, 8, 1, 64), Phase(0.6, 2, 5, 64), Phase(0.3, 2, 7, 96)),
    iterations=(9300, 0, 8000),
)

PUBLISHED = Recipe(
    name="ncfl-published",
    sizes={},
    flow={"width": 1.0, "max_motion": 20.0},
    training={
        "learning_rate": 2e-4,
        "motion_learning_rate": 2.5e-5,
        "warmup": 200,
        "freeze_motion": 2500,
        "grad_clip": 1.0,
    },
    phases=(Phase(0.7, 16, 5, 128), Phase(0.3, 8, 10, 128)),
    going_on=(Phase(1.0, 8, 10, 128),),
    again={"learning_rate": 1e-4, "motion_learning_rate": 1.25e-5, "freeze_motion": 0, **FILES},
    with_memory=(Phase(0.1, 64, 1, 128), Phase(0.9, 8, 10, 128)),
    iterations=(20_000, 50_000, 50_000),
)

RECIPES = {"half": HALF, "fast": FAST, "published": PUBLISHED}


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
