"""``ncfl pretrain-flow`` and ``ncfl train``."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.common.files import sha256
from ncfl.config import layout
from ncfl.config.params import Compared, Experiment, Params
from ncfl.steps.common import one_of, open_store, step

if TYPE_CHECKING:
    from torch import nn

    from ncfl.tracking.run import Run
    from ncfl.train.config import Stage, TrainConfig
    from ncfl.train.restoration import TrainingResult
    from ncfl.train.trainer import Trainer
    from ncfl.weights.checkpoint import Checkpoint


def pretrain_flow(params: Params) -> Path:
    """Pretrain motion estimation, or adopt the user's own weights.

    Returns:
        ``results/flow/spynet.pt``; beside it metrics.json (end-point error beside that of zero motion) and history.csv.
    """
    motion, machine, common = params.motion, params.machine, params.training
    parameters = {"seed": params.seed, **motion.model_dump()}
    label = "synthetic motion of embedded photographs"
    with step(params, "pretrain-flow", parameters=parameters, data=label) as run:
        from ncfl.data.synthetic import photographs
        from ncfl.train.motion import synthetic as flow

        training = flow.FlowTraining(
            levels=motion.levels,
            width=motion.width,
            iterations=motion.iterations,
            batch=motion.batch,
            patch=motion.patch,
            learning_rate=motion.learning_rate,
            max_motion=motion.max_motion,
            sigma=tuple(motion.sigma),
            seed=params.seed,
            log_every=common.log_every,
            device=machine.device,
            threads=common.threads,
            workers=machine.workers,
            channels_last=machine.channels_last,
            checkpoint_seconds=machine.checkpoint_seconds,
        )
        held_out = photographs.load(photographs.TEST_PHOTOGRAPHS)
        if motion.weights is not None:
            metrics = flow.adopt_weights(
                weights=Path(motion.weights), training=training, held_out=held_out, output=layout.FLOW
            )
        else:
            metrics = flow.pretrain_flow(
                training=training,
                photographs=photographs.load(photographs.TRAIN_PHOTOGRAPHS),
                held_out=held_out,
                output=layout.FLOW,
                resume=layout.RESUME / "flow",
                log=run.log,
            )
        run.figure(**metrics)
        run.checksum("checkpoint", sha256(layout.SPYNET))
        for file in ("metrics.json", "history.csv"):
            run.artifact(layout.FLOW / file)
    return layout.SPYNET


def train(params: Params, name: str, stage: int) -> Path:
    """Train stage 1 or 2 of an experiment, or go on with it where a kill left it.

    Returns:
        ``results/experiments/<name>/stage<n>/checkpoint.pt``; beside it metrics.json and history.csv.
    """
    one_of(name, params.two_stage, "trained experiment")
    experiment = params.two_stage[name]
    parameters = {"model": params.model.model_dump(), **experiment.train.model_dump()}
    with training_step(params, name, stage, parameters) as run:
        from ncfl.train.config import Stage
        from ncfl.weights import checkpoint

        schedule, inverse = params.schedules[experiment.dataset], experiment.train.inverse_lambda
        first, second = experiment.train.iterations or (schedule.stage1, schedule.stage2)
        stages = (
            Stage("stage1", first, rate_term=inverse is not None),
            Stage("stage2", second, rate_term=False),
        )
        trainer = stage_trainer(
            params,
            name,
            numbers=training_numbers(params, name, stages=stages, lambda_=0.0 if inverse is None else 1.0 / inverse),
            stage=stages[stage - 1],
            build=lambda channels: _model(params, name, channels),
            initial=checkpoint.load(layout.stage(name, 1) / "checkpoint.pt") if stage == 2 else None,
            extra={"variant": experiment.train.variant},
            run=run,
        )
        return keep_result(trainer.run(), trainer, run)


@contextlib.contextmanager
def training_step(params: Params, name: str, stage: int, parameters: Mapping[str, Any]) -> Iterator["Run"]:
    """The run of one stage, with the parameters that all trainings share beside its own ``parameters``."""
    dataset, seed = params.trained[name].dataset, params.seed_of(name)
    common = {
        "seed": seed,
        "stage": stage,
        "dataset": dataset,
        "training": params.training.model_dump(),
        "schedule": params.schedules[dataset].model_dump(),
    }
    given = {"experiment": name, "parameters": {**common, **parameters}, "datasets": [dataset], "seed": seed}
    with step(params, f"train-stage{stage}", **given) as run:
        yield run


def stage_trainer(
    params: Params,
    name: str,
    *,
    numbers: "TrainConfig",
    stage: "Stage",
    build: "Callable[[int], nn.Module]",
    initial: "Checkpoint | None",
    extra: Mapping[str, Any],
    run: "Run",
) -> "Trainer":
    """What trains a stage on the dataset of its experiment; its ``run()`` gives a ``TrainingResult``.

    Args:
        params, name: the configuration, and the experiment.
        numbers: of the training; ``stage`` is the row of its schedule.
        build: the network for frames of so many channels. It is called once PyTorch has its seed.
        initial: the stage before.
        extra: what the checkpoint says of itself beside what all of them say.
        run: gets the curves and the checksum of the data.
    """
    import torch

    from ncfl.data.sampler import TrainingSampler
    from ncfl.train.preview import preview_of
    from ncfl.train.rate_start import start_rate
    from ncfl.train.restoration import restoration_trainer

    dataset, sigma = params.trained[name].dataset, _sigma(params.trained[name])
    run.checksum(dataset, sha256(layout.prepared(dataset) / "manifest.json"))
    store = open_store(params, dataset)
    sampler = TrainingSampler(
        store,
        patch=numbers.patch,
        frames=numbers.frames,
        batch=numbers.batch,
        seed=numbers.seed,
        sigma=sigma,
        variety=numbers.variety,
    )
    torch.manual_seed(numbers.seed)
    model = build(store.split("train")[0].shape[-1])
    if stage.rate_term and initial is None:
        start_rate(model, sampler)
    about = {"experiment": name, "preset": params.preset, "dataset": dataset}
    return restoration_trainer(
        model=model,
        sampler=sampler,
        config=numbers,
        stage=stage,
        initial=initial,
        output=layout.EXPERIMENTS / name / stage.name,
        resume=layout.RESUME / f"{name}-{stage.name}",
        log=preview_of(store, run, model, numbers, stage, sigma) if run.is_watched else run.log,
        label=f"{name} {stage.name.replace('stage', 'stage ')}",
        extra={**about, **{key: getattr(params.datasets[dataset], key) for key in ("stand_in", "part")}, **extra},
    )


def keep_result(result: "TrainingResult", trainer: "Trainer", run: "Run") -> Path:
    """Record the figures and the files of a finished stage; gives its checkpoint."""
    run.figure(**{k: v for k, v in result.metrics.items() if isinstance(v, int | float)})
    run.checksum("checkpoint", sha256(result.checkpoint))
    if trainer.stage == trainer.config.stages[-1]:
        run.model(result.checkpoint, channels=trainer.model.arguments["channels"])
    for file in ("metrics.json", "history.csv"):
        run.artifact(result.checkpoint.parent / file)
    return result.checkpoint


def _sigma(experiment: Experiment | Compared) -> Any:
    sigma = experiment.train.sigma
    return tuple(sigma) if isinstance(sigma, list) else sigma


def training_numbers(params: Params, name: str, **own: Any) -> "TrainConfig":
    """The numbers of one training, from the blocks of params.yaml that hold them; ``own`` goes before these."""
    from ncfl.train.config import TrainConfig

    experiment = params.trained[name]
    common, machine = params.training, params.machine
    shared = {
        "learning_rate": experiment.train.learning_rate or common.learning_rate,
        "motion_learning_rate": common.motion_learning_rate,
        "minimum_learning_rate": common.minimum_learning_rate,
        "cosine": common.cosine,
        "warmup": common.warmup,
        "freeze_motion": common.freeze_motion,
        "weight_decay": common.weight_decay,
        "betas": tuple(common.betas),
        "grad_clip": common.gradient_clip,
        "batch": common.batch,
        "frames": common.frames,
        "patch": params.schedules[experiment.dataset].patch,
        "sigma": _sigma(experiment) or 0.0,
        "clipped": common.clipped,
        "gray": common.gray,
        "cuts": common.cuts,
        "speeds": tuple(common.speeds),
        "seed": params.seed_of(name),
        "precision": common.precision,
        "rate_ramp": common.rate_ramp,
        "accumulate": common.accumulate,
        "checkpoint_activations": common.checkpoint_activations,
        "log_every": common.log_every,
        "compile": machine.compile,
        "channels_last": machine.channels_last,
        "device": machine.device,
        "workers": machine.workers,
        "threads": common.threads,
        "checkpoint_seconds": machine.checkpoint_seconds,
    }
    return TrainConfig(**shared | own)


def _model(params: Params, name: str, channels: int) -> "nn.Module":
    """The network of an experiment: begun from the start where there is one, its motion estimation pretrained."""
    from ncfl.models.variants import VARIANTS
    from ncfl.weights import checkpoint
    from ncfl.weights.start import adopt_start

    sizes = {
        **params.model.model_dump(),
        "channels": channels,
        "flow_levels": params.motion.levels,
        "flow_width": params.motion.width,
    }
    model = VARIANTS[params.two_stage[name].train.variant](**sizes)
    if params.training.start is not None:
        adopt_start(model, Path(params.training.start))
    if name in params.with_motion:
        checkpoint.load_weights(model.motion, checkpoint.load(layout.SPYNET).state, layout.SPYNET)
    return model
