"""Training a network that restores clips: the paper's in two stages, and those of other papers."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ncfl.common.device import pick_device
from ncfl.common.files import write_csv, write_json
from ncfl.common.progress import Progress
from ncfl.train.batch_norm import settle_statistics
from ncfl.train.config import Stage, TrainConfig, numbers
from ncfl.train.losses import clip_loss, restored_loss
from ncfl.train.state import TrainingState
from ncfl.train.trainer import Log, Trainer, no_log
from ncfl.weights import checkpoint
from ncfl.weights.checkpoint import Checkpoint


class Sampled(Protocol):
    """What a sampler gives: clips of T frames, and where they come from."""

    clean: Tensor  # float32 [B, T, C, H, W] in [0, 1]
    noisy: Tensor  # the same shape
    sigma: Tensor  # [B], 0 ... 255
    clips: list[str]


class Sampler(Protocol):
    """Batches as a pure function of the iteration, so that a resumed training needs no generator's state."""

    def batch(self, iteration: int) -> Sampled:
        """The batch of ``iteration``, counted over the whole training."""


class Frames(NamedTuple):
    """A batch, frame by frame."""

    noisy: list[Tensor]
    clean: list[Tensor]
    clips: list[str]
    sigma: list[float]

    def __str__(self) -> str:
        pairs = zip(self.clips, self.sigma, strict=True)
        return "batch of " + ", ".join(f"{clip} (sigma {sigma:.4g})" for clip, sigma in pairs)


class RestorationTask:
    """Noisy clips in, clean ones out: L2, and in stage 1 lambda times the bits.

    Args:
        model: either recurrent (``model(x_t, state) -> Step``), or a compared method's, which restores a clip at once
            (``model.restore_clip``) and has no rate.
        sampler: gives the batches; ``noisy`` is the input and ``clean`` the target.
        config: the numbers of the training.
        stage: says whether there is a rate term.
    """

    block = "training"

    def __init__(self, model: nn.Module, sampler: Sampler, config: TrainConfig, stage: Stage) -> None:
        self.sampler, self.config, self.stage = sampler, config, stage
        self.about = {"kind": model.kind, "arguments": model.arguments}
        self.at_once = hasattr(model, "restore_clip")
        self.loss = restored_loss if self.at_once else clip_loss
        self.device = pick_device(config.device)
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.motions = getattr(model, "motions", None)  # the compression alone has none
        if self.motions is not None and config.compile:
            self.motions = torch.compile(self.motions, dynamic=False)

    def batch(self, iteration: int) -> Frames:
        """The sampler's batch, frame by frame, in the network's memory layout."""
        batch, pin = self.sampler.batch(iteration), self.device.type == "cuda"

        def split(clip: Tensor) -> list[Tensor]:
            frames = [frame.contiguous(memory_format=self.layout) for frame in clip.unbind(1)]
            return [frame.pin_memory() for frame in frames] if pin else frames

        noisy = split(batch.noisy)
        clean = noisy if batch.clean is batch.noisy else split(batch.clean)
        return Frames(noisy, clean, list(batch.clips), torch.as_tensor(batch.sigma).tolist())

    def tensors(self, batch: Frames) -> dict[str, Tensor]:
        """Both sides, [B, T, C, H, W]."""
        return {"noisy": torch.stack(batch.noisy, 1), "clean": torch.stack(batch.clean, 1)}

    def split(self, batch: Frames, parts: int) -> list[Frames]:
        """The clips of a batch dealt out to ``parts`` smaller ones."""
        size = len(batch.clips) // parts
        windows = [slice(start, start + size) for start in range(0, len(batch.clips), size)]
        return [
            Frames([x[one] for x in batch.noisy], [y[one] for y in batch.clean], batch.clips[one], batch.sigma[one])
            for one in windows
        ]

    def inputs(self, model: nn.Module, batch: Frames, iteration: int) -> dict[str, Any]:
        """The frames on the model's device, and what its loss needs beside them."""
        if self.config.settle_at is not None and iteration >= self.config.settle_at:
            settle_statistics(model, self.sampler, self.config, iteration)
        noisy, clean = ([frame.to(self.device, non_blocking=True) for frame in side] for side in batch[:2])
        frames = {"noisy": noisy, "clean": clean}
        if self.at_once:
            return {**frames, "sigma": torch.tensor(batch.sigma, device=self.device)}
        return {
            **frames,
            "rate_weight": self.config.rate_weight(self.stage, iteration),
            "motions": self.motions,
            "checkpointed": self.config.checkpoint_activations,
        }


class TrainingResult(NamedTuple):
    """What a finished stage wrote."""

    checkpoint: Path
    metrics: dict[str, Any]


def restoration_trainer(
    *,
    model: nn.Module,
    sampler: Sampler,
    config: TrainConfig,
    stage: Stage,
    initial: Checkpoint | None,
    output: Path,
    resume: Path,
    log: Log = no_log,
    progress: Callable[..., Progress] = Progress,
    label: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Trainer:
    """A trainer of one stage, which writes ``checkpoint.pt``, ``metrics.json`` and ``history.csv`` into ``output``.

    Args:
        model: with ``kind`` and ``arguments``; as in :class:`RestorationTask`.
        sampler, config, stage: as there.
        output: a folder.
        initial, resume, log, progress, label: as in :class:`ncfl.train.trainer.Trainer`.
        extra: plain data that goes into the checkpoint beside the training's numbers.

    ``run()`` gives a :class:`TrainingResult`.
    """
    return Trainer(
        model=model,
        task=RestorationTask(model, sampler, config, stage),
        config=config,
        stage=stage,
        write=lambda state: write_stage(state, config, stage, Path(output), extra or {}),
        resume=resume,
        initial=initial,
        log=log,
        progress=progress,
        label=label,
    )


def train_stages(
    *,
    model: nn.Module,
    sampler: Sampler,
    config: TrainConfig,
    output: Path,
    resume: Path,
    label: str,
    extra: Mapping[str, Any] | None = None,
    around: Callable[[Stage], AbstractContextManager[None]] = lambda stage: nullcontext(),
) -> Path:
    """Train all stages of a schedule, each from the one before; those that are finished are not trained again.

    Args:
        model, sampler, config, extra: as for :func:`restoration_trainer`.
        output, resume: folders, with one of each stage's name in them.
        label: before the name of a stage where its progress is shown.
        around: entered while a stage is trained.

    Returns:
        The checkpoint of the last stage.
    """
    done, initial = Path(output), None
    for stage in config.stages:
        folder = Path(output) / stage.name
        done = folder / "checkpoint.pt"
        if not done.is_file():
            where = {"output": folder, "resume": Path(resume) / stage.name, "label": f"{label} {stage.name}"}
            shared = {"model": model, "sampler": sampler, "config": config, "extra": extra}
            with around(stage):
                restoration_trainer(stage=stage, initial=initial, **where, **shared).run()
        initial = checkpoint.load(done)
    return done


def write_stage(
    state: TrainingState, config: TrainConfig, stage: Stage, output: Path, extra: Mapping[str, Any]
) -> TrainingResult:
    """The files of a finished stage."""
    means = state.mean(config.average_over)
    done = config.first_iteration(stage) + stage.iterations
    metrics = {
        "stage": stage.name,
        "iterations": stage.iterations,
        "iterations_in_all": done,
        "parameters": sum(parameter.numel() for parameter in state.model.parameters()),
        "averaged_iterations": min(config.average_over, stage.iterations),
        **{name: means.get(name) for name in ("loss", "l2", "psnr", "bits_per_pixel")},
    }
    write_json(output / "metrics.json", metrics)
    write_history(output / "history.csv", state.history)
    checkpoint.save(
        output / "checkpoint.pt",
        model=state.model,
        extra={**extra, "stage": stage.name, "iterations": done, "training": numbers(config)},
        # The last stage's moments would treble the file for nobody.
        continuation=None if stage == config.stages[-1] else state.continuation(),
    )
    return TrainingResult(output / "checkpoint.pt", metrics)


def write_history(path: Path, history: list[tuple[int, dict[str, float]]]) -> None:
    """The curves as CSV: ``iteration`` of the whole training, and a column per value."""
    names = list(history[0][1]) if history else []
    rows = [[step, *(f"{values[name]:.6g}" for name in names)] for step, values in history]
    write_csv(path, ["iteration", *names], rows)
