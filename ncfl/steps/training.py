"""``ncfl pretrain-flow`` and ``ncfl train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl import layout
from ncfl.files import sha256
from ncfl.params import Experiment, Params
from ncfl.steps.common import one_of, open_store, step

if TYPE_CHECKING:
    from torch import nn

    from ncfl.train.stages import Training


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
        from ncfl.train import flow

        training = flow.FlowTraining(
            levels=motion.levels, width=motion.width, iterations=motion.iterations, batch=motion.batch,
            patch=motion.patch, learning_rate=motion.learning_rate, max_motion=motion.max_motion,
            sigma=tuple(motion.sigma), seed=params.seed, log_every=common.log_every, device=machine.device,
            threads=common.threads, workers=machine.workers, channels_last=machine.channels_last,
            checkpoint_seconds=machine.checkpoint_seconds,
        )  # fmt: skip
        held_out = photographs.load(photographs.TEST_PHOTOGRAPHS)
        if motion.weights is not None:
            metrics = flow.adopt_weights(
                weights=Path(motion.weights), training=training, held_out=held_out, output=layout.FLOW
            )
        else:
            metrics = flow.pretrain_flow(
                training=training, photographs=photographs.load(photographs.TRAIN_PHOTOGRAPHS), held_out=held_out,
                output=layout.FLOW, resume=layout.RESUME / "flow", log=run.log,
            )  # fmt: skip
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
    one_of(name, params.trained, "trained experiment")
    experiment = params.trained[name]
    parameters = {
        "seed": params.seed, "stage": stage, "dataset": experiment.dataset, "model": params.model.model_dump(),
        "training": params.training.model_dump(), "schedule": params.schedules[experiment.dataset].model_dump(),
        **experiment.train.model_dump(),
    }  # fmt: skip
    with step(
        params, f"train-stage{stage}", experiment=name, parameters=parameters, datasets=[experiment.dataset]
    ) as run:
        import torch

        from ncfl.data.sampler import TrainingSampler
        from ncfl.train import checkpoint, loop

        training = _training(params, experiment)
        store = layout.prepared(experiment.dataset)
        run.checksum(experiment.dataset, sha256(store / "manifest.json"))
        sampler = TrainingSampler(
            open_store(params, experiment.dataset), patch=training.patch, frames=training.frames,
            batch=training.batch, seed=params.seed, sigma=_sigma(experiment),
        )  # fmt: skip
        torch.manual_seed(params.seed)
        model = _model(params, name)
        initial = checkpoint.load(layout.stage(name, 1) / "checkpoint.pt") if stage == 2 else None
        output = layout.stage(name, stage)
        result = loop.train(
            model=model, sampler=sampler, training=training, stage=training.stages[stage - 1], initial=initial,
            output=output, resume=layout.RESUME / f"{name}-stage{stage}", log=run.log, label=f"{name} stage {stage}",
            extra={"experiment": name, "variant": experiment.train.variant, "preset": params.preset,
                   "dataset": experiment.dataset, "stand_in": params.datasets[experiment.dataset].stand_in},
        )  # fmt: skip
        run.figure(**{k: v for k, v in result.metrics.items() if isinstance(v, int | float)})
        run.checksum("checkpoint", sha256(result.checkpoint))
        for file in ("metrics.json", "history.csv"):
            run.artifact(output / file)
    return result.checkpoint


def _sigma(experiment: Experiment) -> Any:
    sigma = experiment.train.sigma
    return tuple(sigma) if isinstance(sigma, list) else sigma


def _training(params: Params, experiment: Experiment) -> "Training":
    """The numbers of one training, from the blocks of params.yaml that hold them."""
    from ncfl.train.stages import Stage, Training

    schedule, common, machine = params.schedules[experiment.dataset], params.training, params.machine
    inverse = experiment.train.inverse_lambda
    return Training(
        stages=(
            Stage("stage1", schedule.stage1, rate_term=inverse is not None),
            Stage("stage2", schedule.stage2, rate_term=False),
        ),
        lambda_=0.0 if inverse is None else 1.0 / inverse,
        learning_rate=common.learning_rate,
        motion_learning_rate=common.motion_learning_rate,
        minimum_learning_rate=common.minimum_learning_rate,
        cosine=common.cosine,
        warmup=common.warmup,
        freeze_motion=common.freeze_motion,
        weight_decay=common.weight_decay,
        betas=tuple(common.betas),
        grad_clip=common.gradient_clip,
        batch=common.batch,
        frames=common.frames,
        patch=schedule.patch,
        sigma=_sigma(experiment) or 0.0,
        seed=params.seed,
        precision=common.precision,
        log_every=common.log_every,
        compile=machine.compile,
        channels_last=machine.channels_last,
        device=machine.device,
        workers=machine.workers,
        threads=common.threads,
        checkpoint_seconds=machine.checkpoint_seconds,
    )


def _model(params: Params, name: str) -> "nn.Module":
    """The network of an experiment, for frames as its dataset has them, its motion estimation pretrained."""
    from ncfl.models.variants import VARIANTS
    from ncfl.train import checkpoint

    clips = open_store(params, params.trained[name].dataset).split("train")
    sizes = {
        **params.model.model_dump(),
        "channels": clips[0].shape[-1],
        "flow_levels": params.motion.levels,
        "flow_width": params.motion.width,
    }
    model = VARIANTS[params.trained[name].train.variant](**sizes)
    if name in params.experiments:
        checkpoint.load_weights(model.motion, checkpoint.load(layout.SPYNET).state, layout.SPYNET)
    return model
