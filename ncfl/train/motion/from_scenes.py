"""Motion estimation of the graph: a SPyNet pretrained on rendered scenes, or a user's own weights."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.common.files import write_csv, write_json
from ncfl.common.progress import Progress
from ncfl.models.motion import SPyNet
from ncfl.train.config import machine, numbers
from ncfl.train.motion.first_filters import start
from ncfl.train.motion.held_out import measure
from ncfl.train.motion.objectives import EVERY_LEVEL
from ncfl.train.motion.pairs import MARGIN, render_pairs
from ncfl.train.motion.pretraining import Level, MotionRecipe, pretrain_motion
from ncfl.train.state import TrainingState
from ncfl.train.trainer import Log, no_log
from ncfl.weights import checkpoint
from ncfl.weights.archive import read_archive

POOL = 256  # pairs rendered once; crops, flips, colours and noise make each draw another
HELD_OUT = 48  # pairs to measure on, of other photographs
MACHINE = ("device", "threads", "workers", "channels_last", "checkpoint_seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowTraining:
    """All numbers of the pretraining; none is the paper's, which starts from published weights.

    Args:
        levels, width: of the SPyNet; width is times the published channels.
        iterations, batch, patch: optimizer steps, pairs per step, side of a pair in pixels.
        learning_rate: of AdamW, after a warm-up of 5 % of the iterations; cosine to zero.
        max_motion: pixels per frame of the synthetic motion.
        sigma: noise on both frames, 0 ... 255: a (low, high) range drawn from per pair.
        grad_clip: largest gradient norm.
        seed: of every draw.
    """

    levels: int = 4
    width: float = 1.0
    iterations: int
    batch: int
    patch: int
    learning_rate: float
    max_motion: float
    sigma: tuple[float, float] = (0.0, 55.0)
    grad_clip: float = 1.0
    seed: int = 0
    log_every: int = machine(50)
    device: str = machine("auto")
    threads: int = machine(1)
    workers: int = machine(0)
    channels_last: bool = machine(False)
    checkpoint_seconds: float = machine(60.0)

    def __post_init__(self) -> None:
        multiple = 2 ** (self.levels - 1)
        if self.patch % multiple:
            raise InputError(
                f"motion.patch: expected multiples of {multiple}, so that every pyramid level is "
                f"supervised by the exact motion, got {self.patch}"
            )

    def recipe(self) -> MotionRecipe:
        """All levels at once, judged by the motion of every level."""
        return MotionRecipe(
            together=Level(self.iterations, self.learning_rate, self.batch, self.patch),
            criterion=EVERY_LEVEL,
            sigma=self.sigma,
            seed=self.seed,
            warmup=max(1, self.iterations // 20),
            betas=(0.9, 0.999),
            grad_clip=self.grad_clip,
            log_every=self.log_every,
            machine={name: getattr(self, name) for name in MACHINE},
        )


def pretrain_flow(
    *,
    training: FlowTraining,
    photographs: Mapping[str, np.ndarray],
    held_out: Mapping[str, np.ndarray],
    output: Path,
    resume: Path,
    log: Log = no_log,
    progress: Callable[..., Progress] = Progress,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Train and write ``spynet.pt``, ``metrics.json`` and ``history.csv`` into ``output``.

    Args:
        training: all numbers.
        photographs: what the scenes to train on are made of, uint8 RGB by name.
        held_out: what those to measure on are made of.
        output: a folder.
        resume: a folder for the resume state.
        log: gets the iteration and the means since the last call.
        progress: makes the progress bar.
        extra: plain data that goes into the checkpoint.

    Returns:
        What :func:`measure` found on pairs from ``held_out``, in pixels and dB.

    Raises:
        NonFiniteLoss, Interrupted: as :meth:`ncfl.train.trainer.Trainer.run`.
    """
    pool = render_pairs(photographs, POOL, training.patch + MARGIN, training.seed, training.max_motion)
    spynet = SPyNet(levels=training.levels, width=training.width)
    start(spynet, torch.Generator().manual_seed(training.seed))

    def write(state: TrainingState) -> dict[str, float]:
        metrics = _save(spynet, training, held_out, Path(output), extra or {})
        write_curve(Path(output) / "history.csv", state)
        return metrics

    return pretrain_motion(
        spynet, pool, training.recipe(), output=output, resume=resume, write=write, log=log, progress=progress
    )


def adopt_weights(
    *, weights: Path, training: FlowTraining, held_out: Mapping[str, np.ndarray], output: Path
) -> dict[str, float]:
    """Take a user's own weights instead of training.

    Args:
        weights: a ``spynet.pt`` of ours; a plain state dict of its tensors; or published weights, under any of
            their names: as ``ncfl import-weights spynet`` leaves them (``.safetensors``), or a folder of arrays.
        training: for its levels and width.
        held_out, output: as for :func:`pretrain_flow`.

    Returns:
        As :func:`pretrain_flow`.

    Raises:
        InputError: unreadable, or not of ``training.levels`` levels at ``training.width``.
    """
    weights = Path(weights)
    spynet = SPyNet(levels=training.levels, width=training.width)
    checkpoint.load_weights(spynet, _state(weights, training.levels), weights)
    metrics = _save(spynet, training, held_out, Path(output), {"weights": Path(weights).name})
    write_csv(Path(output) / "history.csv", ["iteration"], [])
    return metrics


def _state(weights: Path, levels: int) -> dict[str, Tensor]:
    """The tensors of a file, or folder, by the names that they have here."""
    # Here and not above: what published weights are called decides nothing about a training without them.
    from ncfl.methods.spynet6.official_names import project_state
    from ncfl.weights.reading import read_weights

    if weights.is_dir() or weights.suffix == ".safetensors":
        state = read_weights(weights)
    else:
        content = read_archive(weights)
        state = content.get("state", content) if isinstance(content, dict) else None
        if not isinstance(state, dict):
            raise InputError(f"{weights}: expected a state dict of a SPyNet, got {type(content).__name__}")
    return project_state(state, levels=levels, source=weights)


def write_curve(path: Path, state: TrainingState) -> None:
    """The end-point error over the iterations, as CSV."""
    write_csv(path, ["iteration", "epe"], [[step, f"{values['epe']:.6g}"] for step, values in state.history])


def _save(
    spynet: SPyNet, training: FlowTraining, held_out: Mapping[str, np.ndarray], output: Path, extra: Mapping[str, Any]
) -> dict[str, float]:
    pairs = render_pairs(held_out, HELD_OUT, 96, training.seed + 1, training.max_motion)
    metrics = {name: round(value, 4) for name, value in measure(spynet, pairs, training.seed).items()}
    parameters = sum(parameter.numel() for parameter in spynet.parameters())
    write_json(output / "metrics.json", {"pairs": HELD_OUT, "parameters": parameters, **metrics})
    checkpoint.save(output / "spynet.pt", model=spynet, extra={**extra, "training": numbers(training)})
    return metrics
