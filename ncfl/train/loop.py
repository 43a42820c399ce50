"""The training loop, one for both stages and for the motion estimation's pretraining."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ncfl.common.device import pick_device, place
from ncfl.common.errors import InputError, StepError
from ncfl.common.files import write_csv, write_json
from ncfl.common.progress import Progress
from ncfl.train.interruption import Interrupted, Interruption
from ncfl.train.losses import Loss, clip_loss, psnr, restored_loss
from ncfl.train.optimizer import (
    adamw,
    autocast,
    descend,
    grad_scaler,
    gradient_norm,
    set_rates,
)
from ncfl.train.prefetch import prefetched
from ncfl.train.resume import ResumeFile, TrainingState, key_of
from ncfl.train.stages import Stage, Training, numbers
from ncfl.weights import checkpoint
from ncfl.weights.checkpoint import Checkpoint

T = TypeVar("T")
Log = Callable[[int, Mapping[str, float]], None]
SHOWN = {"loss": "loss", "bits_per_pixel": "bpp", "psnr": "psnr", "epe": "epe"}


class NonFiniteLoss(StepError):
    """The loss or the gradient is not finite; the message names the iteration, the values and the batch."""


class Batch(Protocol):
    """What a sampler gives: clips of T frames, and where they come from."""

    clean: Tensor  # float32 [B, T, C, H, W] in [0, 1]
    noisy: Tensor  # the same shape
    sigma: Tensor  # [B], 0 ... 255
    clips: list[str]


class Sampler(Protocol):
    """Batches as a pure function of the iteration, so that a resumed training needs no generator's state."""

    def batch(self, iteration: int) -> Batch:
        """The batch of ``iteration``, counted over the whole training."""


class TrainingResult(NamedTuple):
    """What a finished stage wrote."""

    checkpoint: Path
    metrics: dict[str, Any]


def no_log(step: int, values: Mapping[str, float]) -> None:
    """Log nothing."""


def train(
    *,
    model: nn.Module,
    sampler: Sampler,
    training: Training,
    stage: Stage,
    initial: Checkpoint | None,
    output: Path,
    resume: Path,
    log: Log = no_log,
    progress: Callable[..., Progress] = Progress,
    label: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train one stage and write ``checkpoint.pt``, ``metrics.json`` and ``history.csv`` into ``output``.

    Args:
        model: with ``kind`` and ``arguments``, trained in place. Either recurrent (``model(x_t, state) -> Step``), or
            a compared method's, which restores a clip at once (``model.restore_clip``) and has no rate.
        sampler: gives the batches; ``noisy`` is the input and ``clean`` the target.
        training: all numbers.
        stage: the row of ``training.stages`` to run.
        initial: the stage before, whose weights and optimizer state this one goes on from, or None.
        output: a folder.
        resume: a folder for the resume state; a killed training finds it there when it is started again.
        log: gets the step (finished iterations of the whole training) and the means since the last call.
        progress: makes the progress bar.
        label: its text; the stage's name unless told.
        extra: plain data that goes into the checkpoint beside the training's numbers.

    Killed at any instant and called again with the same arguments, it ends with the same bytes (on the CPU,
    with as many threads). Sets PyTorch's global seed and thread count.

    Raises:
        InputError: an ``initial`` that does not fit, or a device that is not there.
        NonFiniteLoss: the loss or a gradient is not finite.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    device = pick_device(training.device)
    if training.threads:
        torch.set_num_threads(training.threads)
    torch.manual_seed(training.seed)
    torch.backends.cudnn.benchmark = True  # all batches have one size
    first = training.first_iteration(stage)
    if initial is not None:
        _check_initial(initial, model, first)
        checkpoint.load_weights(model, initial.state, initial.path)
    resume_file = ResumeFile(resume, _key(model, sampler, training, stage, first))

    layout = torch.channels_last if training.channels_last else torch.contiguous_format
    place(model, device, channels_last=training.channels_last).train()
    state = TrainingState(
        model,
        adamw(model, weight_decay=training.weight_decay, betas=training.betas),
        grad_scaler(device, training.precision),
        keep=max(training.average_over, training.log_every),
    )
    if initial is not None and initial.continuation is not None:
        state.take_over(initial.continuation)
    resume_file.restore(state)
    run = torch.compile(model, dynamic=False) if training.compile else model
    loss = _loss_of(model, rate_weight=training.lambda_ if stage.rate_term else 0.0, compiled=training.compile)

    def objective(batch: _Frames) -> dict[str, Tensor]:
        noisy, clean = ([frame.to(device, non_blocking=True) for frame in side] for side in batch[:2])
        with autocast(device, training.precision):
            terms = loss(run, noisy, clean, torch.tensor(batch.sigma, device=device))
        named = {"loss": terms.loss, "l2": terms.l2, "bits_per_pixel": terms.bits}
        return {name: value for name, value in named.items() if value is not None}

    with progress(stage.iterations, label or stage.name, start=state.done) as bar:
        fit(
            state=state,
            objective=objective,
            batch_of=lambda iteration: _frames(sampler.batch(iteration), layout, pin=device.type == "cuda"),
            first=first,
            iterations=stage.iterations,
            rates=training.rates,
            grad_clip=training.grad_clip,
            workers=training.workers,
            resume_file=resume_file,
            checkpoint_seconds=training.checkpoint_seconds,
            log=log,
            log_every=training.log_every,
            bar=bar,
        )
    result = _finish(state, training, stage, Path(output), extra or {})
    resume_file.remove()
    return result


def fit(
    *,
    state: TrainingState,
    objective: Callable[[T], dict[str, Tensor]],
    batch_of: Callable[[int], T],
    first: int,
    iterations: int,
    rates: Callable[[int], Mapping[str, float | None]],
    grad_clip: float | None,
    workers: int,
    resume_file: ResumeFile,
    checkpoint_seconds: float,
    log: Log,
    log_every: int,
    bar: Progress,
) -> None:
    """Run iterations ``first + state.done`` to ``first + iterations`` of gradient descent on ``objective``.

    Args:
        objective: scalars of a batch, ``loss`` among them.
        batch_of: a pure function of the iteration; ``str(batch)`` names the batch in :class:`NonFiniteLoss`.
        rates: learning rate per parameter group, None where it is frozen.
        bar, log, log_every, resume_file, checkpoint_seconds, workers, grad_clip: as in :class:`Training`.
    """
    saved = time.monotonic()
    with (
        Interruption() as interruption,
        prefetched(batch_of, first + state.done, first + iterations, workers) as batches,
    ):
        for iteration, batch in batches:
            now = rates(iteration)
            set_rates(state.optimizer, now)
            terms = objective(batch)
            state.scaler.scale(terms["loss"]).backward()
            state.scaler.unscale_(state.optimizer)
            norm = gradient_norm(state.model)
            values = _fetch({**terms, "gradient_norm": norm})
            _refuse_non_finite(values, iteration, batch, scaled=state.scaler.is_enabled())
            descend(state.model, state.optimizer, state.scaler, norm=norm, grad_clip=grad_clip)

            state.recent.append(values)
            state.done += 1
            bar.update(state.done, {short: values[name] for name, short in SHOWN.items() if name in values})
            if state.done % log_every == 0 or state.done == iterations:
                point = {**state.mean((state.done - 1) % log_every + 1), **_rate_values(now)}
                state.history.append((iteration + 1, point))
                log(iteration + 1, point)
            if state.done == iterations:
                break
            if interruption or time.monotonic() - saved >= checkpoint_seconds:
                resume_file.save(state)
                saved = time.monotonic()
            if interruption:
                raise Interrupted(interruption.number)


def _loss_of(model: nn.Module, *, rate_weight: float, compiled: bool) -> Callable[[nn.Module, Any, Any, Tensor], Loss]:
    if hasattr(model, "restore_clip"):
        return lambda run, noisy, clean, sigma: restored_loss(run, noisy, clean, sigma=sigma)
    motions = getattr(model, "motions", None)  # the compression alone has none
    if motions is not None and compiled:
        motions = torch.compile(motions, dynamic=False)
    return lambda run, noisy, clean, sigma: clip_loss(run, noisy, clean, rate_weight=rate_weight, motions=motions)


def _fetch(terms: Mapping[str, Tensor]) -> dict[str, float]:
    # One transfer for all: the only point of an iteration at which a GPU is waited for.
    values = torch.stack([term.detach().float() for term in terms.values()]).tolist()
    named = dict(zip(terms, values, strict=True))
    if "l2" in named and math.isfinite(named["l2"]):
        named["psnr"] = psnr(named["l2"])
    return named


def _refuse_non_finite(values: Mapping[str, float], iteration: int, batch: Any, *, scaled: bool) -> None:
    # Under float16 a gradient that overflows is expected: the scaler skips the step and lowers its factor.
    watched = ("loss",) if scaled else ("loss", "gradient_norm")
    if not all(math.isfinite(values[name]) for name in watched):
        found = ", ".join(f"{name} {value}" for name, value in values.items())
        raise NonFiniteLoss(f"iteration {iteration} of the whole training, from 0: {found}; {batch}")


def _rate_values(rates: Mapping[str, float | None]) -> dict[str, float]:
    names = {"rest": "learning_rate", "motion": "motion_learning_rate"}
    return {names[group]: rate or 0.0 for group, rate in rates.items()}


class _Frames(NamedTuple):
    noisy: list[Tensor]
    clean: list[Tensor]
    clips: list[str]
    sigma: list[float]

    def __str__(self) -> str:
        pairs = zip(self.clips, self.sigma, strict=True)
        return "batch of " + ", ".join(f"{clip} (sigma {sigma:.4g})" for clip, sigma in pairs)


def _frames(batch: Batch, layout: torch.memory_format, *, pin: bool) -> _Frames:
    def split(clip: Tensor) -> list[Tensor]:
        frames = [frame.contiguous(memory_format=layout) for frame in clip.unbind(1)]
        return [frame.pin_memory() for frame in frames] if pin else frames

    noisy = split(batch.noisy)
    clean = noisy if batch.clean is batch.noisy else split(batch.clean)
    return _Frames(noisy, clean, list(batch.clips), torch.as_tensor(batch.sigma).tolist())


def _check_initial(initial: Checkpoint, model: nn.Module, first: int) -> None:
    if (initial.kind, initial.arguments) != (model.kind, model.arguments):
        raise InputError(
            f"{initial.path}: found a model of kind {initial.kind!r} with {initial.arguments}, "
            f"allowed here: kind {model.kind!r} with {model.arguments}"
        )
    done = initial.extra.get("iterations")
    if done != first:
        raise InputError(f"{initial.path}: found {done} iterations of training, allowed here: {first}")


def _key(model: nn.Module, sampler: Sampler, training: Training, stage: Stage, first: int) -> str:
    # The batches at both ends stand for the data and for the way in which the sampler cuts and degrades them.
    ends = {first, first + stage.iterations - 1} if stage.iterations else set()
    batches = {}
    for iteration in sorted(ends):
        batch = sampler.batch(iteration)
        batches |= {f"noisy {iteration}": batch.noisy, f"clean {iteration}": batch.clean}
    configuration = {
        "kind": model.kind,
        "arguments": model.arguments,
        "training": numbers(training),
        "stage": stage.name,
    }
    return key_of(configuration, weights=model.state_dict(), batches=batches)


def write_history(path: Path, history: list[tuple[int, dict[str, float]]]) -> None:
    """The curves as CSV: ``iteration`` of the whole training, and a column per value."""
    names = list(history[0][1]) if history else []
    rows = [[step, *(f"{values[name]:.6g}" for name in names)] for step, values in history]
    write_csv(path, ["iteration", *names], rows)


def _finish(
    state: TrainingState, training: Training, stage: Stage, output: Path, extra: Mapping[str, Any]
) -> TrainingResult:
    means = state.mean(training.average_over)
    done = training.first_iteration(stage) + stage.iterations
    metrics = {
        "stage": stage.name,
        "iterations": stage.iterations,
        "iterations_in_all": done,
        "parameters": sum(parameter.numel() for parameter in state.model.parameters()),
        "averaged_iterations": min(training.average_over, stage.iterations),
        **{name: means.get(name) for name in ("loss", "l2", "psnr", "bits_per_pixel")},
    }
    write_json(output / "metrics.json", metrics)
    write_history(output / "history.csv", state.history)
    checkpoint.save(
        output / "checkpoint.pt",
        model=state.model,
        extra={**extra, "stage": stage.name, "iterations": done, "training": numbers(training)},
        # The last stage's moments would treble the file for nobody.
        continuation=None if stage == training.stages[-1] else state.continuation(),
    )
    return TrainingResult(output / "checkpoint.pt", metrics)
