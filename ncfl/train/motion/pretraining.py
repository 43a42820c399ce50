"""Pretraining of motion estimation: some levels one after the other, from the coarsest on, then all together.

All levels at once learn slowly: a fine level can't see a large motion, and disturbs the coarse one that could. Each by
itself, as SPyNet was published, has an easy task, and the coarse ones, on frames of an eighth of the size, cost next to
nothing. But each one's mistakes stay with the next, so all go on together. Every pretraining is this function: what
the pairs are, which levels are trained alone and what all are judged by are its arguments.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ncfl.common.device import pick_device
from ncfl.common.progress import Progress
from ncfl.models.motion import SPyNet
from ncfl.train.config import Stage, TrainConfig
from ncfl.train.motion import pairs as motion_pairs
from ncfl.train.motion.objectives import EVERY_LEVEL, Criterion, end_point_error
from ncfl.train.motion.pairs import Pairs
from ncfl.train.motion.task import MotionTask
from ncfl.train.state import TrainingState
from ncfl.train.trainer import Log, Trainer, no_log
from ncfl.weights import checkpoint

MOTION = "motion"  # the name of the only stage
PLAIN = {"device": "cpu", "threads": 1}  # the machine unless told

R = TypeVar("R")


class Level(NamedTuple):
    """How levels are trained: optimizer steps, learning rate, pairs per step, side of these in full-size pixels."""

    iterations: int
    learning_rate: float
    batch: int
    patch: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotionRecipe:
    """How a SPyNet is pretrained: AdamW without decay, in each part a warm-up, then a cosine to zero.

    Args:
        levels: how the first ones are trained alone, the coarsest first; none, some, or all of them.
        together: how all are trained together after that; of 0 iterations they are not.
        criterion: what all together are judged by.
        sigma: noise of both frames, 0 ... 255, drawn from this range per pair.
        seed: of every draw.
        warmup: iterations in which the rate rises.
        betas: AdamW's moment decay rates.
        grad_clip: largest gradient norm.
        log_every: iterations between two points of the curve.
        machine: device, threads and the like, by their names in :class:`ncfl.train.config.TrainConfig`; the pairs lie
            in the machine's memory whatever trains.
    """

    levels: tuple[Level, ...] = ()
    together: Level
    criterion: Criterion = EVERY_LEVEL
    sigma: tuple[float, float]
    seed: int
    warmup: int = 50
    betas: tuple[float, float] = (0.9, 0.99)
    grad_clip: float = 1.0
    log_every: int = 50
    machine: Mapping[str, Any] = dataclasses.field(default_factory=lambda: PLAIN)

    def config(self, part: Level) -> TrainConfig:
        """The numbers of one part, as the trainer reads them."""
        return TrainConfig(
            stages=(Stage(MOTION, part.iterations, rate_term=False),),
            learning_rate=part.learning_rate,
            motion_learning_rate=part.learning_rate,
            warmup=self.warmup,
            freeze_motion=0,
            weight_decay=0.0,
            betas=self.betas,
            grad_clip=self.grad_clip,
            batch=part.batch,
            frames=2,
            patch=part.patch,
            log_every=self.log_every,
            average_over=self.log_every,
            sigma=self.sigma,
            seed=self.seed,
            **self.machine,
        )


def pretrain_motion(
    spynet: SPyNet,
    pool: Pairs,
    recipe: MotionRecipe,
    *,
    output: Path,
    resume: Path,
    write: Callable[[TrainingState | None], R],
    log: Log = no_log,
    progress: Callable[..., Progress] = Progress,
) -> R:
    """Train ``spynet`` in place, and give what ``write`` gives; killed and called again it goes on.

    Args:
        spynet: trained in place.
        pool: square pairs, as large as the largest patch of the recipe or larger.
        recipe: all numbers.
        output: a folder; ``level<n>.pt`` in it are finished levels, which are taken over and not trained again.
        resume: a folder for the resume state.
        write: makes the results once the network is on the processor, from the state of the training of all levels
            together, or from None where there is none.
        log: of that training, gets the iteration and the means since the last call.
        progress: makes the progress bars.

    Raises:
        NonFiniteLoss, Interrupted: as :meth:`ncfl.train.trainer.Trainer.run`.
    """
    if recipe.machine["threads"]:
        torch.set_num_threads(recipe.machine["threads"])
    for number in range(len(recipe.levels)):
        done = Path(output) / f"level{number}.pt"
        if done.is_file():
            checkpoint.load_weights(spynet, checkpoint.load(done).state, done)
            continue
        train_level(spynet, number, pool, recipe, resume=resume, progress=progress)
        checkpoint.save(done, model=spynet, extra={"level": number, **recipe.levels[number]._asdict()})

    def finish(state: TrainingState | None) -> R:
        spynet.to("cpu", memory_format=torch.contiguous_format)
        return write(state)

    if not recipe.together.iterations:
        return finish(None)
    config = recipe.config(recipe.together)
    return Trainer(
        model=spynet,
        task=_all_levels(spynet, pool, recipe, config),
        config=config,
        stage=config.stages[0],
        write=finish,
        resume=resume,
        log=log,
        progress=progress,
        label="motion estimation",
    ).run()


def _all_levels(spynet: SPyNet, pool: Pairs, recipe: MotionRecipe, config: TrainConfig) -> MotionTask:
    part, criterion = recipe.together, recipe.criterion
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    return MotionTask(
        lambda i: criterion.draw(pool, part.batch, part.patch, recipe.sigma, recipe.seed, i),
        criterion.objective(spynet, layout),
        device=config.device,
        about={"all levels": criterion.name},
    )


def train_level(
    spynet: SPyNet,
    number: int,
    pool: Pairs,
    recipe: MotionRecipe,
    *,
    resume: Path,
    progress: Callable[..., Progress] = Progress,
) -> None:
    """Train level ``number`` alone, on pairs reduced to its size; those before it stay as they are."""
    level, own, config = recipe.levels[number], spynet.levels[number], recipe.config(recipe.levels[number])
    factor = 2 ** (len(spynet.levels) - 1 - number)
    small = reduced(pool, factor)
    # The levels up to this one are a SPyNet of fewer levels, and what it gives is this level's motion.
    network = _up_to(spynet, number).to(pick_device(config.device))

    def objective(_: nn.Module, batch: Pairs) -> dict[str, Tensor]:
        error = end_point_error(network(batch.x_t, batch.x_prev), batch.mv)
        return {"loss": error, "epe": factor * error}

    task = MotionTask(
        lambda i: draw(small, level, factor, recipe.sigma, np.random.default_rng((recipe.seed, number, i))),
        objective,
        device=config.device,
        about={"level": number, "factor": factor},
        fixed=spynet.state_dict(),
    )
    spynet.requires_grad_(False)
    own.requires_grad_(True)
    Trainer(
        model=own,
        task=task,
        config=config,
        stage=config.stages[0],
        write=_nothing,
        resume=resume,
        progress=progress,
        label=f"motion estimation, level {number}",
    ).run()
    spynet.requires_grad_(True)


def _nothing(state: TrainingState) -> None:
    """The weights are in their place; the caller writes them."""


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
    return motion_pairs.draw(pool, level.batch, level.patch // factor, (low / factor, high / factor), rng)
