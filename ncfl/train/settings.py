"""From settings to the numbers of a training: the one place where the blocks of ``params.yaml`` become its fields."""

from typing import TYPE_CHECKING, Any

from ncfl.train.config import Stage, TrainConfig

if TYPE_CHECKING:
    from ncfl.config.params import Params
    from ncfl.train.motion.from_scenes import FlowTraining

_ELSEWHERE = ("mlflow_experiment", "container")  # of `machine`, and none of a training's business
_OF_ONE = ("learning_rate", "frames", "settle_at")  # what an experiment may say in place of `training`


def train_config(params: "Params", name: str, **own: Any) -> TrainConfig:
    """The numbers of an experiment's training.

    Args:
        params, name: the configuration, and an experiment of it that is trained.
        own: fields of :class:`~ncfl.train.config.TrainConfig` that go before the configuration's.
    """
    experiment, common = params.trained[name], params.training
    differing = {key: getattr(experiment.train, key, None) for key in _OF_ONE}
    inverse = getattr(experiment.train, "inverse_lambda", None)
    settings = {
        **common.model_dump(exclude={"start", "gradient_clip"}),
        **params.machine.model_dump(exclude={*_ELSEWHERE, "processes"}),
        **{key: value for key, value in differing.items() if value is not None},
        "stages": stages(params, name),
        "lambda_": 0.0 if inverse is None else 1.0 / inverse,
        "grad_clip": common.gradient_clip,
        "patch": params.schedules[experiment.dataset].patch,
        "sigma": sigma_of(params, name) or 0.0,
        "precision": training_precision(params),
        "seed": params.seed_of(name),
    }
    return TrainConfig(**{**settings, **own})


def training_precision(params: "Params") -> str:
    """The number format of the forward pass in all trainings; what ``auto`` becomes on this machine."""
    if params.training.precision != "auto":
        return params.training.precision
    from ncfl.common.device import computes_bfloat16, pick_device

    return "bfloat16" if computes_bfloat16(pick_device(params.machine.device)) else "float32"


def network_sizes(params: "Params", name: str) -> dict[str, Any]:
    """The sizes of an experiment's network as its constructor takes them; frames' channels are left to the data."""
    motion = {"flow_width": params.motion.width}
    if name in params.two_stage:
        return {**params.model.model_dump(), "flow_levels": params.motion.levels, **motion}
    return {**(motion if name in params.with_motion else {}), **params.all_compared[name].network}


def sigma_of(params: "Params", name: str) -> float | tuple[float, float] | None:
    """The noise level of an experiment's training as samplers take it: one, a range, or None for clean frames."""
    sigma = params.trained[name].train.sigma
    return tuple(sigma) if isinstance(sigma, list) else sigma


def stages(params: "Params", name: str) -> tuple[Stage, ...]:
    """The schedule of an experiment: both stages of NCFL, or the one of a compared method."""
    train, schedule = params.trained[name].train, params.schedules[params.trained[name].dataset]
    if name in params.all_compared:
        return (Stage("stage1", train.iterations or schedule.stage1 + schedule.stage2, rate_term=False),)
    first, second = train.iterations or (schedule.stage1, schedule.stage2)
    return (
        Stage("stage1", first, rate_term=train.inverse_lambda is not None),
        Stage("stage2", second, rate_term=False),
    )


def flow_training(params: "Params") -> "FlowTraining":
    """The numbers of the pretraining of motion estimation."""
    from ncfl.train.motion.from_scenes import FlowTraining

    return FlowTraining(
        **params.motion.model_dump(exclude={"weights", "sigma"}),
        **params.machine.model_dump(exclude={*_ELSEWHERE, "compile", "processes"}),
        sigma=tuple(params.motion.sigma),
        seed=params.seed,
        log_every=params.training.log_every,
        threads=params.training.threads,
    )
