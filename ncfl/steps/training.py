"""``ncfl pretrain-flow`` and ``ncfl train``."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.common.files import sha256
from ncfl.config import layout
from ncfl.config.params import Params
from ncfl.steps.common import one_of, open_store, step

if TYPE_CHECKING:
    from torch import nn

    from ncfl.tracking.run import Run
    from ncfl.train.restoration import TrainingResult
    from ncfl.train.trainer import Trainer


def pretrain_flow(params: Params) -> Path:
    """Pretrain motion estimation, or adopt the user's own weights.

    Returns:
        ``results/flow/spynet.pt``; beside it metrics.json (end-point error beside that of zero motion) and history.csv.
    """
    motion = params.motion
    parameters = {"seed": params.seed, **motion.model_dump()}
    label = "synthetic motion of embedded photographs"
    with step(params, "pretrain-flow", parameters=parameters, data=label) as run:
        from ncfl.data.synthetic import photographs
        from ncfl.train.motion import from_scenes as flow
        from ncfl.train.settings import flow_training

        training = flow_training(params)
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
    parameters = {"model": params.model.model_dump(), **params.two_stage[name].train.model_dump()}
    with training_step(params, name, stage, parameters) as run:
        return train_together(network_of, params, name, stage, run)


class Unrecorded:
    """What a process beside the first has in place of a run: nothing of it is kept twice."""

    is_watched = False

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def checksum(self, name: str, sha256: str) -> None:
        """Nothing."""


def train_together(
    build: "Callable[[Params, str, int], nn.Module]", params: Params, name: str, stage: int, run: "Run | Unrecorded"
) -> Path:
    """Train with as many processes as ``machine.processes`` says; gives the checkpoint.

    Args:
        build: the network of an experiment for frames of so many channels; it can be imported.
        params, name, stage: what is trained.
        run: of the first process, which alone writes and reports.
    """
    from ncfl.train.parallel import followed

    with followed(params.machine.processes, _follow, build, params, name, stage):
        trainer = stage_trainer(build, params, name, stage, run)
        result = trainer.run()
    if not trainer.processes.first:  # of those that a launcher started
        return layout.stage(name, stage) / "checkpoint.pt"
    return keep_result(result, trainer, run)


def _follow(build: "Callable[[Params, str, int], nn.Module]", params: Params, name: str, stage: int) -> None:
    stage_trainer(build, params, name, stage, Unrecorded()).run()


@contextlib.contextmanager
def training_step(params: Params, name: str, stage: int, parameters: Mapping[str, Any]) -> Iterator["Run | Unrecorded"]:
    """The run of one stage, with the parameters that all trainings share beside its own ``parameters``.

    Of several processes that a launcher such as ``torchrun`` started, the first alone has a run.
    """
    from ncfl.train.parallel import rank

    if rank():
        yield Unrecorded()
        return
    from ncfl.train.settings import training_precision

    dataset, seed = params.trained[name].dataset, params.seed_of(name)
    common = {
        "seed": seed,
        "stage": stage,
        "dataset": dataset,
        "training": {**params.training.model_dump(), "precision": training_precision(params)},
        "schedule": params.schedules[dataset].model_dump(),
    }
    given = {"experiment": name, "parameters": {**common, **parameters}, "datasets": [dataset], "seed": seed}
    with step(params, f"train-stage{stage}", **given) as run:
        yield run


def stage_trainer(
    build: "Callable[[Params, str, int], nn.Module]", params: Params, name: str, number: int, run: "Run | Unrecorded"
) -> "Trainer":
    """What trains a stage on the dataset of its experiment; its ``run()`` gives a ``TrainingResult``.

    Args:
        build: as for :func:`train_together`. It is called once PyTorch has its seed.
        params, name, number: the configuration, the experiment and its stage.
        run: gets the curves and the checksum of the data.
    """
    import torch

    from ncfl.data.sampler import TrainingSampler
    from ncfl.train.preview import preview_of
    from ncfl.train.rate_start import start_rate
    from ncfl.train.restoration import restoration_trainer
    from ncfl.train.settings import sigma_of, train_config
    from ncfl.weights import checkpoint

    config, experiment = train_config(params, name), params.trained[name]
    stage, dataset, sigma = config.stages[number - 1], experiment.dataset, sigma_of(params, name)
    initial = checkpoint.load(layout.stage(name, number - 1) / "checkpoint.pt") if number > 1 else None
    run.checksum(dataset, sha256(layout.prepared(dataset) / "manifest.json"))
    store = open_store(params, dataset)
    sampler = TrainingSampler(
        store,
        patch=config.patch,
        frames=config.frames,
        batch=config.batch,
        seed=config.seed,
        sigma=sigma,
        variety=config.variety,
    )
    torch.manual_seed(config.seed)
    model = build(params, name, store.split("train")[0].shape[-1])
    if stage.rate_term and initial is None:
        start_rate(model, sampler)
    about = {"experiment": name, "preset": params.preset, "dataset": dataset}
    about |= {key: getattr(params.datasets[dataset], key) for key in ("stand_in", "part")}
    is_ours = name in params.two_stage
    about |= {"variant": experiment.train.variant} if is_ours else {"method": experiment.method}
    return restoration_trainer(
        model=model,
        sampler=sampler,
        config=config,
        stage=stage,
        initial=initial,
        output=layout.EXPERIMENTS / name / stage.name,
        resume=layout.RESUME / f"{name}-{stage.name}",
        log=preview_of(store, run, model, config, stage, sigma) if run.is_watched else run.log,
        label=f"{name} {stage.name.replace('stage', 'stage ')}",
        extra=about,
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


def network_of(params: Params, name: str, channels: int) -> "nn.Module":
    """The network of an experiment: begun from the start where there is one, its motion estimation pretrained."""
    from ncfl.models.variants import VARIANTS
    from ncfl.train.settings import network_sizes
    from ncfl.weights import checkpoint
    from ncfl.weights.shared_start import adopt_start

    model = VARIANTS[params.two_stage[name].train.variant](channels=channels, **network_sizes(params, name))
    if params.training.start is not None:
        adopt_start(model, Path(params.training.start))
    if name in params.with_motion:
        checkpoint.load_weights(model.motion, checkpoint.load(layout.SPYNET).state, layout.SPYNET)
    return model
