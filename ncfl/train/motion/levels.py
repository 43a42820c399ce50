"""Pretraining of motion estimation level by level, from the coarsest on, as SPyNet was published.

All levels at once learn slowly: a fine level can't see a large motion, and disturbs the coarse one that could. Each by
itself has an easy task, and the coarse ones, on frames of an eighth of the size, cost next to nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ncfl.common.device import pick_device
from ncfl.data.packed import Pack
from ncfl.models.motion import SPyNet
from ncfl.train.motion import pairs as flow_pairs
from ncfl.train.motion.alignment import BATCH, ITERATIONS, align
from ncfl.train.motion.pairs import Pairs, render_pairs
from ncfl.train.motion.real_pairs import real_pairs
from ncfl.train.motion.start import start
from ncfl.train.motion.synthetic import HELD_OUT, end_point_error, measure
from ncfl.train.motion.task import PLAIN, MotionTask, fit_motion, motion_config
from ncfl.weights import checkpoint

WINDOW = 256  # pixels, of the pairs at full size
RENDERED, REAL = 160, 640  # pairs


class Level(NamedTuple):
    """How one level is trained: optimizer steps, learning rate, pairs per step, side of these in full-size pixels."""

    iterations: int
    learning_rate: float
    batch: int
    patch: int


LEVELS = (Level(3000, 1e-3, 16, 256), Level(1500, 1e-3, 8, 256), Level(1000, 7e-4, 6, 160), Level(800, 5e-4, 4, 96))


def pretrain_levels(
    *,
    pack: Pack,
    output: Path,
    resume: Path,
    width: float,
    seed: int,
    max_motion: float,
    sigma: tuple[float, float],
    levels: Sequence[Level] = LEVELS,
    aligned: int = ITERATIONS,
    machine: Mapping[str, Any] = PLAIN,
) -> dict[str, float]:
    """Train a SPyNet on rendered and real pairs and write ``spynet.pt`` into ``output``.

    Args:
        pack: photographs and clips.
        output: a folder; ``level<n>.pt`` in it are finished levels, which are not trained again.
        resume: a folder for the resume state of a level.
        width: of the network, times the published channels.
        seed: of every draw.
        max_motion: of the rendered pairs, pixels.
        sigma: noise of both frames, 0..255.
        levels: coarsest first.
        aligned: iterations of all levels together after that (:mod:`ncfl.train.motion.alignment`).
        machine: device, threads and the like, by their names in :class:`ncfl.train.config.TrainConfig`; the pairs lie
            in the machine's memory whatever trains.

    Returns:
        As :func:`ncfl.train.motion.synthetic.measure`, on rendered pairs of other photographs.
    """
    spynet = SPyNet(levels=len(levels), width=width)
    start(spynet, torch.Generator().manual_seed(seed))
    rendered = render_pairs(pack.photographs, RENDERED, WINDOW, seed, max_motion)
    pool = together(rendered, real_pairs(pack.clips, REAL, WINDOW, seed))
    shared = {"resume": resume, "seed": seed, "sigma": sigma, "machine": machine}
    train_motion(spynet, pool, levels, output=output, aligned=aligned, **shared)
    held_out = render_pairs(pack.held_out, HELD_OUT, 96, seed + 1, max_motion)
    found = {name: round(value, 4) for name, value in measure(spynet, held_out, seed).items()}
    extra = {"levels": [list(level) for level in levels], "aligned": aligned}
    checkpoint.save(Path(output) / "spynet.pt", model=spynet, extra=extra)
    return found


def together(*pools: Pairs) -> Pairs:
    """The pairs of several pools in one."""
    return Pairs(*map(torch.cat, zip(*pools, strict=True)))


def train_motion(
    spynet: SPyNet,
    pool: Pairs,
    levels: Sequence[Level],
    *,
    output: Path,
    resume: Path,
    aligned: int,
    seed: int,
    sigma: tuple[float, float],
    machine: Mapping[str, Any],
    aligned_batch: int = BATCH,
) -> None:
    """Train the first levels one after the other, then all together; in place, on the processor at the end.

    Args:
        spynet, pool, levels, output: as for :func:`train_levels`.
        resume, seed, sigma, machine: as for :func:`pretrain_levels`.
        aligned, aligned_batch: iterations of all levels together, and pairs in each of them.
    """
    torch.set_num_threads(machine["threads"])
    shared = {"resume": resume, "seed": seed, "sigma": sigma, "machine": machine}
    train_levels(spynet, pool, levels, output=output, **shared)
    if aligned:
        align(spynet, pool, iterations=aligned, batch=aligned_batch, **shared)
    spynet.to("cpu")


def train_levels(
    spynet: SPyNet,
    pool: Pairs,
    levels: Sequence[Level],
    *,
    output: Path,
    resume: Path,
    seed: int,
    sigma: tuple[float, float],
    machine: Mapping[str, Any],
) -> None:
    """Train the first levels of ``spynet``, the coarsest first, each alone and in place.

    Args:
        output: a folder; ``level<n>.pt`` in it are finished levels, which are taken over and not trained again.
        resume, seed, sigma, machine: as for :func:`pretrain_levels`.
    """
    for number, level in enumerate(levels):
        done = Path(output) / f"level{number}.pt"
        if done.is_file():
            checkpoint.load_weights(spynet, checkpoint.load(done).state, done)
            continue
        factor = 2 ** (len(spynet.levels) - 1 - number)
        train_level(spynet, number, level, reduced(pool, factor), factor, seed, sigma, resume, machine)
        checkpoint.save(done, model=spynet, extra={"level": number, **level._asdict()})


def train_level(
    spynet: SPyNet,
    number: int,
    level: Level,
    pool: Pairs,
    factor: int,
    seed: int,
    sigma: tuple[float, float],
    resume: Path,
    machine: Mapping[str, Any] = PLAIN,
) -> None:
    """Train level ``number`` alone, on pairs reduced by ``factor``; those before it stay as they are."""
    own = spynet.levels[number]
    config = motion_config(
        iterations=level.iterations,
        learning_rate=level.learning_rate,
        batch=level.batch,
        patch=level.patch,
        seed=seed,
        sigma=sigma,
        **machine,
    )
    # The levels up to this one are a SPyNet of fewer levels, and what it gives is this level's motion.
    network = _up_to(spynet, number).to(pick_device(config.device))

    def batch_of(iteration: int) -> Pairs:
        return draw(pool, level, factor, sigma, np.random.default_rng((seed, number, iteration)))

    def objective(_: nn.Module, batch: Pairs) -> dict[str, Tensor]:
        error = end_point_error(network(batch.x_t, batch.x_prev), batch.mv)
        return {"loss": error, "epe": factor * error}

    task = MotionTask(
        batch_of,
        objective,
        device=config.device,
        about={"level": number, "factor": factor},
        fixed=spynet.state_dict(),
    )
    spynet.requires_grad_(False)
    own.requires_grad_(True)
    fit_motion(own, task, config, label=f"motion estimation, level {number}", resume=resume)
    spynet.requires_grad_(True)


def _up_to(spynet: SPyNet, number: int) -> SPyNet:
    """The levels up to ``number`` as a network that shares their weights."""
    part = SPyNet(levels=1, width=spynet.arguments["width"])
    part.levels = nn.ModuleList(list(spynet.levels)[: number + 1])
    return part


def reduced(pairs: Pairs, factor: int) -> Pairs:
    """Pairs at 1 / ``factor`` of their size, by means over squares; motion in pixels of that size."""
    x_t, x_prev, mv = (functional.avg_pool2d(part, factor) for part in pairs)
    return Pairs(x_t, x_prev, mv / factor)


def draw(pool: Pairs, level: Level, factor: int, sigma: tuple[float, float], rng: Any) -> Pairs:
    """A batch of reduced pairs; their noise is what means over squares leave of white noise of strength ``sigma``."""
    low, high = sigma
    return flow_pairs.draw(pool, level.batch, level.patch // factor, (low / factor, high / factor), rng)
