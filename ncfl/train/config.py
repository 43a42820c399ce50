"""The training's numbers: the schedule is a table of stages, everything else one frozen dataclass."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from ncfl.common.device import DEVICES
from ncfl.common.errors import InputError
from ncfl.data.variety import Variety
from ncfl.train.ranges import (
    BETAS,
    BOOLEAN,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_OR_NONE,
    SIGMA,
    Rule,
    check,
    check_fields,
    choice,
    integer_from,
)

PRECISIONS = ("float32", "bfloat16", "float16")
COSINES = ("whole", "per-stage")


@dataclass(frozen=True)
class Stage:
    """One row of the schedule.

    Args:
        name: the stage's name and its folder under the experiment.
        iterations: optimizer steps; 0 hands the weights on as they are.
        rate_term: whether lambda times the bits per pixel enters the loss. Quantisation stays on either way.
    """

    name: str
    iterations: int
    rate_term: bool

    def __post_init__(self) -> None:
        check(f"training.stages.{self.name}.iterations", self.iterations, integer_from(0))
        check(f"training.stages.{self.name}.rate_term", self.rate_term, BOOLEAN)


def two_stages(stage1: int, stage2: int) -> tuple[Stage, Stage]:
    """The paper's schedule: L2 + lambda CE for ``stage1`` iterations, then L2 alone for ``stage2``."""
    return Stage("stage1", stage1, rate_term=True), Stage("stage2", stage2, rate_term=False)


def machine(default: Any) -> Any:
    """A field that says how the numbers are computed, not which: no part of what identifies a training."""
    return field(default=default, metadata={"machine": True})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All numbers of a training; the defaults are the paper's (supplement, section 3) for DAVIS.

    Iterations are counted over the whole training, from 0, and go on from one stage to the next.

    Args:
        stages: the schedule, in order.
        lambda_: weight of the rate term, in mean squared error (frames in [0, 1]) per bit per pixel: the
            convention of DVC and its successors, who minimize MSE / lambda_ + bits per pixel.
        learning_rate: initial rate of all weights but the motion estimation's.
        motion_learning_rate: initial rate of the motion estimation.
        minimum_learning_rate: where the cosine ends, for both groups (not in the paper; PyTorch's default).
        cosine: one cosine over the ``whole`` training, or a fresh one ``per-stage``.
        warmup: iterations from the start of the whole training in which all rates rise linearly to the cosine's.
        freeze_motion: iterations from the start of the whole training in which the motion estimation rests.
        weight_decay: AdamW's, decoupled (not in the paper; PyTorch's default).
        betas: AdamW's moment decay rates (not in the paper; PyTorch's defaults).
        grad_clip: largest norm of all gradients together; None does not clip (not in the paper).
        rate_ramp: iterations of the whole training over which the weight of the rate term rises from nothing to
            ``lambda_``; 0 gives it in full from the first one.
        settle_at: iteration of the whole training from which the statistics of batch normalization rest, estimated
            over many batches then (:mod:`ncfl.train.batch_norm`); None lets them run to the end.
        accumulate: parts of a batch that go through the network one after the other, their gradients added up.
        checkpoint_activations: keep the inputs of each frame alone for the backward pass, and compute it again there.
        batch, frames, patch: clips per batch, frames per clip, side of the square crop in pixels.
        sigma: noise level in 0 ... 255, one number or a (low, high) range drawn from per clip.
        clipped, gray, cuts, speeds, camera: what else differs between clips (:class:`ncfl.data.variety.Variety`).
        seed: of every random draw.
        precision: of the forward pass; weights, loss and optimizer are float32 whatever it says.
        log_every: iterations between two logged lines; each is the mean since the one before.
        average_over: the last iterations that the final metrics average.
        compile: run the model through ``torch.compile``.
        channels_last: memory layout of weights and frames.
        device: ``auto`` takes a GPU where there is one.
        workers: threads that prepare batches ahead; 0 prepares each in the loop itself.
        threads: PyTorch's threads on the CPU; 0 leaves PyTorch's own choice. The last bit depends on it.
        checkpoint_seconds: between two saves of the resume state.
    """

    stages: tuple[Stage, ...] = two_stages(50_000, 50_000)
    lambda_: float = 1 / 2048
    learning_rate: float = 2e-4
    motion_learning_rate: float = 2.5e-5
    minimum_learning_rate: float = 0.0
    cosine: str = "whole"
    warmup: int = 0
    freeze_motion: int = 2500
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    grad_clip: float | None = None
    rate_ramp: int = 0
    settle_at: int | None = None
    accumulate: int = 1
    checkpoint_activations: bool = machine(False)
    batch: int = 16
    frames: int = 5
    patch: int = 128
    sigma: float | tuple[float, float] = (0.0, 55.0)
    clipped: float = 0.0
    gray: float = 0.0
    cuts: float = 0.0
    speeds: tuple[int, ...] = (1,)
    camera: float = 0.0
    seed: int = 0
    precision: str = "float32"
    log_every: int = machine(50)
    average_over: int = 100
    compile: bool = machine(False)
    channels_last: bool = machine(False)
    device: str = machine("auto")
    workers: int = machine(1)
    threads: int = machine(0)
    checkpoint_seconds: float = machine(60.0)

    def __post_init__(self) -> None:
        for name in ("stages", "betas", "sigma", "speeds"):  # YAML and JSON know lists only
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_fields(self, "training", _RULES)
        self.variety.checked("training")
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names) or not names or not self.iterations:
            raise InputError(
                "training.stages: expected one stage or more with different names and at least 1 iteration in all, "
                f"got {names} with {self.iterations} iterations in all"
            )
        if self.batch % self.accumulate:
            raise InputError(
                f"training.accumulate: expected a divisor of training.batch, {self.batch}, so that all parts are "
                f"equal, got {self.accumulate}"
            )
        lowest = min(self.learning_rate, self.motion_learning_rate)
        if self.minimum_learning_rate > lowest:
            raise InputError(
                f"training.minimum_learning_rate: expected at most the smallest initial rate, {lowest}, "
                f"got {self.minimum_learning_rate}"
            )

    @property
    def variety(self) -> Variety:
        """What the sampler draws beside the noise level."""
        return Variety(self.clipped, self.gray, self.cuts, self.speeds, self.camera)

    @property
    def iterations(self) -> int:
        """Iterations of all stages together."""
        return sum(stage.iterations for stage in self.stages)

    def first_iteration(self, stage: Stage) -> int:
        """The iteration, counted over the whole training, with which ``stage`` begins."""
        before = self.stages[: self.stages.index(stage)]
        return sum(earlier.iterations for earlier in before)

    def rate_weight(self, stage: Stage, iteration: int) -> float:
        """Weight of the bits in the loss at ``iteration`` of the whole training."""
        if not stage.rate_term:
            return 0.0
        return self.lambda_ * min(1.0, (iteration + 1) / self.rate_ramp) if self.rate_ramp else self.lambda_

    def rates(self, iteration: int) -> dict[str, float | None]:
        """Learning rate per parameter group at ``iteration`` of the whole training; None means frozen."""
        done, total = iteration, self.iterations
        if self.cosine == "per-stage":
            for stage in self.stages:
                total = stage.iterations
                if done < total:
                    break
                done -= total
        rise = min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        motion = None
        if iteration >= self.freeze_motion:
            motion = rise * cosine(self.motion_learning_rate, self.minimum_learning_rate, done, total)
        return {"rest": rise * cosine(self.learning_rate, self.minimum_learning_rate, done, total), "motion": motion}


def cosine(initial: float, minimum: float, done: int, total: int) -> float:
    """Cosine annealing (Loshchilov and Hutter, 2017): ``initial`` at 0, ``minimum`` at ``total``."""
    return minimum + (initial - minimum) * (1 + math.cos(math.pi * done / total)) / 2


def numbers(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass that decide the result, as plain data; those of the machine are left out."""
    decide = [f.name for f in dataclasses.fields(settings) if not f.metadata.get("machine")]
    return {name: value for name, value in dataclasses.asdict(settings).items() if name in decide}


def _are_stages(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(stage, Stage) for stage in value)


_RULES: dict[str, Rule] = {
    "stages": (_are_stages, "a list of stages"),
    "lambda_": NOT_NEGATIVE,
    "learning_rate": POSITIVE,
    "motion_learning_rate": POSITIVE,
    "minimum_learning_rate": NOT_NEGATIVE,
    "cosine": choice(COSINES),
    "warmup": integer_from(0),
    "freeze_motion": integer_from(0),
    "weight_decay": NOT_NEGATIVE,
    "betas": BETAS,
    "grad_clip": POSITIVE_OR_NONE,
    "rate_ramp": integer_from(0),
    "settle_at": (lambda value: value is None or (type(value) is int and value >= 0), "an integer from 0 on, or none"),
    "accumulate": integer_from(1),
    "checkpoint_activations": BOOLEAN,
    "batch": integer_from(1),
    "frames": integer_from(1),
    "patch": integer_from(16),
    "sigma": SIGMA,
    "seed": integer_from(0),
    "precision": choice(PRECISIONS),
    "log_every": integer_from(1),
    "average_over": integer_from(1),
    "compile": BOOLEAN,
    "channels_last": BOOLEAN,
    "device": choice(DEVICES),
    "workers": integer_from(0),
    "threads": integer_from(0),
    "checkpoint_seconds": NOT_NEGATIVE,
}
