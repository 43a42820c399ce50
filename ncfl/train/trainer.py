"""The trainer: one loop of gradient descent for both stages, the compared networks and motion estimation."""

import functools
import io
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ncfl.common.device import pick_device, place
from ncfl.common.errors import InputError, StepError, is_out_of_memory
from ncfl.common.progress import Progress
from ncfl.train.config import Stage, TrainConfig, numbers
from ncfl.train.interruption import Interrupted, Interruption
from ncfl.train.losses import psnr
from ncfl.train.optimizer import adamw, autocast, descend, grad_scaler, gradient_norm, set_rates
from ncfl.train.parallel import Processes, joined
from ncfl.train.prefetch import prefetched
from ncfl.train.resume import ResumeFile, key_of, source_digest
from ncfl.train.state import TrainingState
from ncfl.weights.checkpoint import Checkpoint
from ncfl.weights.matching import load_weights

B = TypeVar("B")
R = TypeVar("R")
Log = Callable[[int, Mapping[str, float]], None]
SHOWN = {"loss": "loss", "bits_per_pixel": "bpp", "psnr": "psnr", "epe": "epe"}


class NonFiniteLoss(StepError):
    """The loss or the gradient is not finite; the message names the iteration, the values and the batch."""


class Task(Protocol[B]):
    """What is learned: batches, and the loss of one."""

    about: Mapping[str, Any]  # plain data that identifies the task beside the numbers of its training
    block: str  # of params.yaml, as messages name it: training, motion

    def batch(self, iteration: int) -> B:
        """The batch of ``iteration`` of the whole training, a pure function of it; ``str(batch)`` names its clips."""

    def tensors(self, batch: B) -> Mapping[str, Tensor]:
        """What a batch consists of: by it a training is recognised when it goes on."""

    def split(self, batch: B, parts: int) -> Sequence[B]:
        """The batch in equal parts."""

    def inputs(self, model: nn.Module, batch: B, iteration: int) -> dict[str, Any]:
        """What ``loss`` is called with beside the model, on the model's device."""

    @property
    def loss(self) -> Callable[..., Any]:
        """Runs the model; gives scalars, a mapping or a named tuple, ``loss`` among them: the mean over the batch."""


def no_log(step: int, values: Mapping[str, float]) -> None:
    """Log nothing."""


class Trainer:
    """One stage of a training, from its initial weights (or its resume state) to what it writes.

    Args:
        model: trained in place.
        task: gives batches and their loss.
        config: all numbers.
        stage: the row of ``config.stages`` to run.
        write: makes the results from the final state; the resume state is kept until it returns.
        resume: a folder for the resume state; a killed training finds it there when it is started again.
        initial: the stage before, whose weights and optimizer state this one goes on from, or None.
        log: gets the step (finished iterations of the whole training) and the means since the last call.
        progress: makes the progress bar.
        label: its text; the stage's name unless told.

    Killed at any instant and started again with the same arguments, it ends with the same bytes (on the CPU,
    with as many threads).
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        task: Task[Any],
        config: TrainConfig,
        stage: Stage,
        write: Callable[[TrainingState], R],
        resume: Path,
        initial: Checkpoint | None = None,
        log: Log = no_log,
        progress: Callable[..., Progress] = Progress,
        label: str | None = None,
    ) -> None:
        self.model, self.task, self.config, self.stage = model, task, config, stage
        self.write, self.resume, self.initial = write, Path(resume), initial
        self.log, self.progress, self.label = log, progress, label or stage.name
        self.first = config.first_iteration(stage)
        self.device = pick_device(config.device)
        self.processes = Processes()

    def run(self) -> Any:
        """Train, and give what ``write`` gives: None in all but the first of several processes.

        Sets PyTorch's global seed and thread count.

        Raises:
            InputError: an ``initial`` that does not fit, a device that is not there, or one with too little memory.
            NonFiniteLoss: the loss or a gradient is not finite.
            Interrupted: SIGTERM or SIGINT came; the state is saved.
        """
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        torch.manual_seed(self.config.seed)
        torch.backends.cudnn.benchmark = True  # all batches have one size
        try:
            with joined(self.device) as self.processes:
                self._check_shares()
                return self._run()
        except (RuntimeError, MemoryError) as error:
            # On the processor PyTorch has no class of its own for this.
            if isinstance(error, RuntimeError) and not is_out_of_memory(error):
                raise
            raise InputError(self._too_large()) from error

    def _run(self) -> Any:
        model, config, initial = self.model, self.config, self.initial
        if initial is not None:
            _check_initial(initial, model, self.first)
            load_weights(model, initial.state, initial.path)
        resume_file = ResumeFile(self.resume, self._key())
        place(model, self.device, channels_last=config.channels_last).train()
        state = TrainingState(
            model,
            adamw(model, weight_decay=config.weight_decay, betas=config.betas),
            grad_scaler(self.device, config.precision),
            keep=max(config.average_over, config.log_every),
        )
        if initial is not None and initial.continuation is not None:
            state.take_over(initial.continuation)
        resume_file.restore(state, at_most=self.stage.iterations)
        run = torch.compile(model, dynamic=False) if config.compile else model
        self.processes.wait()  # until all have read the resume state
        with self._progress(state.done) as bar:
            self._descend(state, run, resume_file, bar)
        if not self.processes.first:
            return None
        result = self.write(state)
        resume_file.remove()
        return result

    def _progress(self, done: int) -> Progress:
        make = self.progress if self.processes.first else functools.partial(Progress, stream=io.StringIO())
        return make(self.stage.iterations, self.label, start=done)

    def _descend(self, state: TrainingState, model: nn.Module, resume_file: ResumeFile, bar: Progress) -> None:
        config, count, saved = self.config, self.stage.iterations, time.monotonic()
        with (
            Interruption() as interruption,
            prefetched(self.task.batch, self.first + state.done, self.first + count, config.workers) as batches,
        ):
            for iteration, batch in batches:
                rates = config.rates(iteration)
                set_rates(state.optimizer, rates)
                values, norm = self._gradients(state, model, batch, iteration)
                descend(state.model, state.optimizer, state.scaler, norm=norm, grad_clip=config.grad_clip)

                state.recent.append(values)
                state.done += 1
                bar.update(state.done, {short: values[name] for name, short in SHOWN.items() if name in values})
                if state.done % config.log_every == 0 or state.done == count:
                    point = {**state.mean((state.done - 1) % config.log_every + 1), **_rate_values(rates)}
                    state.history.append((iteration + 1, point))
                    if self.processes.first:
                        self.log(iteration + 1, point)
                if state.done == count:
                    break
                ending = self.processes.any(bool(interruption), self.device)
                if self.processes.first and (ending or time.monotonic() - saved >= config.checkpoint_seconds):
                    interruption.hold()  # a state is written whole, however long that takes
                    resume_file.save(state)
                    saved = time.monotonic()
                if ending:
                    raise Interrupted(interruption.number or signal.SIGTERM)

    def _gradients(
        self, state: TrainingState, model: nn.Module, batch: Any, iteration: int
    ) -> tuple[dict[str, float], Tensor]:
        """The values of an iteration and the norm of its gradients, which then lie in the weights."""
        count, processes = self.config.accumulate, self.processes
        all_parts = [batch] if count * processes.count == 1 else self.task.split(batch, count * processes.count)
        parts = processes.share(all_parts)
        loss_of = processes.loss_of(model, self._terms, parts=count)
        means: dict[str, Tensor] = {}
        for number, part in enumerate(parts, start=1):
            with processes.apart(loss_of, last=number == count):
                with autocast(self.device, self.config.precision):
                    terms = loss_of(**self.task.inputs(model, part, iteration))
                if count > 1:
                    terms = {name: value / count for name, value in terms.items()}
                if self.device.type == "cpu":
                    # Before the backward pass: PyTorch's grid_sample ends the process there if a motion is no number.
                    self._refuse_non_finite(_fetch(processes.mean(terms)), iteration, batch, watched=("loss",))
                state.scaler.scale(terms["loss"]).backward()
            means = {name: means.get(name, 0) + value.detach() for name, value in terms.items()}
        state.scaler.unscale_(state.optimizer)
        norm = gradient_norm(state.model)
        values = _fetch({**processes.mean(means), "gradient_norm": norm})
        # Under float16 a gradient that overflows is expected: the scaler skips the step and lowers its factor.
        watched = ("loss",) if state.scaler.is_enabled() else ("loss", "gradient_norm")
        self._refuse_non_finite(values, iteration, batch, watched=watched)
        return values, norm

    def _terms(self, model: nn.Module, **inputs: Any) -> dict[str, Tensor]:
        """The loss and its terms, by name."""
        return _by_name(self.task.loss(model, **inputs))

    def _refuse_non_finite(
        self, values: Mapping[str, float], iteration: int, batch: Any, *, watched: Sequence[str]
    ) -> None:
        if not all(math.isfinite(values[name]) for name in watched):
            found = ", ".join(f"{name} {value}" for name, value in values.items())
            raise NonFiniteLoss(
                f"iteration {iteration} of the whole training, from 0: {found}; {batch}; "
                f"a lower {self.task.block}.learning_rate (found {self.config.learning_rate:g}) may help"
            )

    def _check_shares(self) -> None:
        batch, accumulate, count = self.config.batch, self.config.accumulate, self.processes.count
        if batch % (accumulate * count):
            raise InputError(
                f"machine.processes: expected a divisor of {self.task.block}.batch / "
                f"{self.task.block}.accumulate, {batch} / {accumulate}, so that all processes have equal "
                f"shares, got {count}"
            )

    def _too_large(self) -> str:
        block, config = self.task.block, self.config
        patch = "schedules.<dataset>.patch" if block == "training" else f"{block}.patch"
        others = ", a higher training.accumulate, or training.checkpoint_activations: true"
        return (
            f"{block}.batch: found {config.batch} clips of {config.frames} frames of {config.patch}x{config.patch} "
            f"pixels, which need more memory than the device {self.device} has, expected a smaller {block}.batch, "
            f"a smaller {patch}{others if block == 'training' else ''}"
        )

    def _key(self) -> str:
        # The batches at both ends stand for the data and for the way in which they are cut and degraded.
        ends = {self.first, self.first + self.stage.iterations - 1} if self.stage.iterations else set()
        batches = {}
        for iteration in sorted(ends):
            tensors = self.task.tensors(self.task.batch(iteration))
            batches |= {f"{name} {iteration}": value for name, value in tensors.items()}
        configuration = {
            "task": dict(self.task.about),
            "training": numbers(self.config),
            "stage": self.stage.name,
            "sources": source_digest(self.model),
        }
        return key_of(configuration, weights=self.model.state_dict(), batches=batches)


def _by_name(loss: Any) -> dict[str, Tensor]:
    terms = loss if isinstance(loss, Mapping) else loss._asdict()
    return {name: value for name, value in terms.items() if value is not None}


def _fetch(terms: Mapping[str, Tensor]) -> dict[str, float]:
    # One transfer for all: the only point of an iteration at which a GPU is waited for.
    values = torch.stack([term.detach().float() for term in terms.values()]).tolist()
    named = dict(zip(terms, values, strict=True))
    if "l2" in named and math.isfinite(named["l2"]):
        named["psnr"] = psnr(named["l2"])
    return named


def _rate_values(rates: Mapping[str, float | None]) -> dict[str, float]:
    names = {"rest": "learning_rate", "motion": "motion_learning_rate"}
    return {names[group]: rate or 0.0 for group, rate in rates.items()}


def _check_initial(initial: Checkpoint, model: nn.Module, first: int) -> None:
    if (initial.kind, initial.arguments) != (model.kind, model.arguments):
        raise InputError(
            f"{initial.path}: expected a model of kind {model.kind!r} with {model.arguments}, "
            f"got kind {initial.kind!r} with {initial.arguments}"
        )
    done = initial.extra.get("iterations")
    if done != first:
        raise InputError(f"{initial.path}: expected {first} iterations of training, got {done}")
