"""Pretraining of motion estimation: SPyNet on synthetic pairs of frames whose motion is known exactly."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ncfl.common.errors import InputError
from ncfl.common.files import write_csv, write_json
from ncfl.common.progress import Progress
from ncfl.models.motion import SPyNet, warp
from ncfl.train.config import TrainConfig, machine, numbers
from ncfl.train.losses import psnr
from ncfl.train.motion.pairs import MARGIN, Pairs, draw, noisy, render_pairs
from ncfl.train.motion.start import start
from ncfl.train.motion.task import MotionTask, Objective, motion_config
from ncfl.train.state import TrainingState
from ncfl.train.trainer import Log, Trainer, no_log
from ncfl.weights import checkpoint
from ncfl.weights.archive import read_archive

POOL = 256  # pairs rendered once; crops, flips, colours and noise make each draw another
HELD_OUT = 48  # pairs to measure on, of other photographs
LEVEL_WEIGHT = 0.5  # of the coarser levels' end-point errors in the loss
NOISE_LEVELS = (0.0, 40.0)
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

    def config(self) -> TrainConfig:
        """The numbers that the trainer reads."""
        machine = {name: getattr(self, name) for name in MACHINE}
        return motion_config(
            iterations=self.iterations,
            learning_rate=self.learning_rate,
            batch=self.batch,
            patch=self.patch,
            warmup=max(1, self.iterations // 20),
            log_every=self.log_every,
            betas=(0.9, 0.999),
            grad_clip=self.grad_clip,
            sigma=self.sigma,
            seed=self.seed,
            **machine,
        )


def end_point_error(mv: Tensor, target: Tensor) -> Tensor:
    """Mean length of the difference, pixels; a scalar."""
    return torch.linalg.vector_norm(mv.float() - target, dim=1).mean()


@contextlib.contextmanager
def recorded(spynet: SPyNet) -> Iterator[list[Tensor]]:
    """The flow of every pyramid level, coarsest first, of a forward pass in the block; each in its own pixels."""
    flows: list[Tensor] = []

    def note(level: nn.Module, inputs: tuple[Tensor], residual: Tensor) -> None:
        flows.append(inputs[0][:, -2:] + residual.float())  # a level's last two inputs are the flow from below

    hooks = [level.register_forward_hook(note) for level in spynet.levels]
    try:
        yield flows
    finally:
        for hook in hooks:
            hook.remove()


def coarse_error(flows: list[Tensor], target: Tensor) -> Tensor:
    """Sum over the coarser levels of their end-point error, in pixels of the full size."""
    total = target.new_zeros(())
    for flow in flows:
        factor = target.shape[-1] // flow.shape[-1]
        total = total + factor * end_point_error(flow, functional.avg_pool2d(target, factor) / factor)
    return total


def _draw(pool: Pairs, training: FlowTraining, iteration: int) -> Pairs:
    rng = np.random.default_rng((training.seed, iteration))
    return draw(pool, training.batch, training.patch, training.sigma, rng)


@torch.no_grad()
def measure(spynet: SPyNet, pairs: Pairs, seed: int) -> dict[str, float]:
    """End-point error beside that of zero motion, and the gain in PSNR from warping, without and with noise."""
    spynet.eval()
    found = {"epe_zero": end_point_error(torch.zeros_like(pairs.mv), pairs.mv).item()}
    for sigma in NOISE_LEVELS:
        rng = np.random.default_rng((seed, round(sigma)))
        level = np.full((len(pairs.x_t), 1, 1, 1), sigma / 255)
        mv = spynet(noisy(pairs.x_t, level, rng), noisy(pairs.x_prev, level, rng))
        moved = (warp(pairs.x_prev, mv) - pairs.x_t).square().mean().item()
        still = (pairs.x_prev - pairs.x_t).square().mean().item()
        suffix = f"_sigma{sigma:g}" if sigma else ""
        found[f"epe{suffix}"] = end_point_error(mv, pairs.mv).item()
        found[f"warp_gain_db{suffix}"] = psnr(moved) - psnr(still)
    spynet.train()
    return found


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
    torch.set_num_threads(training.threads)
    pool = render_pairs(photographs, POOL, training.patch + MARGIN, training.seed, training.max_motion)
    spynet = SPyNet(levels=training.levels, width=training.width)
    start(spynet, torch.Generator().manual_seed(training.seed))
    layout = torch.channels_last if training.channels_last else torch.contiguous_format

    def write(state: TrainingState) -> dict[str, float]:
        spynet.to("cpu", memory_format=torch.contiguous_format)
        metrics = _save(spynet, training, held_out, Path(output), extra or {})
        write_curve(Path(output) / "history.csv", state)
        return metrics

    config = training.config()
    return Trainer(
        model=spynet,
        task=MotionTask(
            lambda iteration: _draw(pool, training, iteration),
            _objective(spynet, layout),
            device=training.device,
            about=numbers(training),
        ),
        config=config,
        stage=config.stages[0],
        write=write,
        resume=resume,
        log=log,
        progress=progress,
        label="motion estimation",
    ).run()


def _objective(spynet: SPyNet, layout: torch.memory_format) -> Objective:
    """The end-point error, that of the coarser levels beside it."""

    def objective(network: nn.Module, batch: Pairs) -> dict[str, Tensor]:
        x_t, x_prev, target = batch
        with recorded(spynet) as coarser:
            mv = network(x_t.contiguous(memory_format=layout), x_prev.contiguous(memory_format=layout))
        error = end_point_error(mv, target)
        return {"loss": error + LEVEL_WEIGHT * coarse_error(coarser[:-1], target), "epe": error}

    return objective


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
    from ncfl.methods.spynet6.model import project_state
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
