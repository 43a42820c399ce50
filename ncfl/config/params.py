"""``params.yaml``, typed and closed: a key that nobody reads is an error, and so is a value of the wrong type.

Every block below is one block of the file. Which keys a step depends on stands in the rules of both workflow
engines; a test keeps the two equal.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ncfl.common.errors import InputError
from ncfl.config.data import Dataset
from ncfl.config.explain import explain
from ncfl.config.values import Block, Fraction, Name, Positive, Share, Sigma, SigmaRange
from ncfl.config.yaml12 import load_yaml
from ncfl.data.transport.source_table import published_datasets
from ncfl.methods import BASELINES, LEARNED, OFFICIAL

# Published datasets that bring their degraded frames along.
PAIRED = ("crvd", "rainsynlight25", "rainsyncomplex25", "rainsynall100", "ntu-rain", "revide")


class Machine(Block):
    """What the steps run on. Not watched by the engines: another machine does not make results stale."""

    device: Literal["auto", "cpu", "cuda"] = Field(description="auto takes a GPU where there is one")
    workers: Annotated[int, Field(ge=0)] = Field(description="threads that prepare batches ahead; 0: in the loop")
    compile: bool = Field(description="torch.compile the network: minutes to start, faster on a GPU")
    channels_last: bool = Field(description="memory format of the feature maps")
    checkpoint_seconds: Fraction = Field(description="between two resume points of a training")
    mlflow_experiment: str | None = Field(
        description="name under which MLflow shows the runs; null: runs are left as JSON files only"
    )


class Model(Block):
    """Widths of the network, in channels. The published ones stand in presets/paper.yaml."""

    unet_widths: Annotated[list[Positive], Field(min_length=5, max_length=5)] = Field(
        description="restoration module, five scales"
    )
    feature_width: Positive = Field(description="the propagated features c_t")
    mv_width: Positive = Field(description="MV refinement")
    latent_width: Positive = Field(description="latent codes e_t")
    attention_widths: Annotated[list[Positive], Field(min_length=3, max_length=3)] = Field(
        description="feature attention, three scales"
    )
    attention_blocks: Positive = Field(description="ResBlocks of the feature attention at each scale")
    prior: Literal["laplace", "gaussian"] = Field(description="distribution of the latent codes")


class Motion(Block):
    """SPyNet and its pretraining on synthetic motion with exact flow."""

    levels: Annotated[int, Field(ge=1, le=6)] = Field(description="pyramid levels")
    width: Annotated[float, Field(gt=0.0, le=4.0)] = Field(description="times the published channels")
    weights: str | None = Field(description="a file of weights, shipped or yours; null: pretrained here")
    iterations: Positive = Field(description="of pretraining")
    batch: Positive = Field(description="frame pairs per iteration")
    patch: Annotated[int, Field(ge=16)] = Field(description="pixels, height and width of a pair")
    learning_rate: Fraction = Field(description="at the start; cosine to zero")
    max_motion: Fraction = Field(description="pixels per frame")
    sigma: SigmaRange = Field(description="noise of both frames, drawn from this range, 0..255 scale")


class Training(Block):
    """What all trainings share."""

    start: str | None = Field(default=None, description="a file that NCFL's networks begin from; null: from nothing")
    learning_rate: Fraction = Field(description="of all but motion estimation, at the start")
    motion_learning_rate: Fraction = Field(description="of motion estimation, at the start")
    warmup: Annotated[int, Field(ge=0)] = Field(description="iterations in which the rates rise to their start")
    freeze_motion: Annotated[int, Field(ge=0)] = Field(description="iterations with motion estimation fixed")
    minimum_learning_rate: Annotated[float, Field(ge=0.0)] = Field(description="where the cosine ends")
    cosine: Literal["whole", "per-stage"] = Field(description="one cosine over both stages, or one for each")
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(description="AdamW")
    betas: Annotated[list[Annotated[float, Field(ge=0.0, lt=1.0)]], Field(min_length=2, max_length=2)] = Field(
        description="AdamW"
    )
    batch: Positive = Field(description="clips per iteration")
    frames: Annotated[int, Field(ge=1)] = Field(description="per clip")
    gradient_clip: Fraction | None = Field(description="largest gradient norm; null: not clipped")
    precision: Literal["float32", "bfloat16", "float16"] = Field(description="of autocast")
    threads: Positive = Field(description="CPU threads of one step; another number gives other rounding")
    log_every: Positive = Field(description="iterations between two points of the curves")
    accumulate: Positive = Field(
        default=1, description="parts of a batch that go through the network one after the other; less memory"
    )
    checkpoint_activations: bool = Field(
        default=False, description="whether each frame is computed again in the backward pass; less memory, more time"
    )
    rate_ramp: Annotated[int, Field(ge=0)] = Field(
        default=0, description="iterations over which the weight of the rate term rises to lambda; 0: at once"
    )
    clipped: Share = Field(
        default=0.0, description="share of clips whose noise is clipped and rounded to 8 bits, as files have it"
    )
    gray: Share = Field(default=0.0, description="share of clips made gray, with the same noise in three channels")
    cuts: Share = Field(default=0.0, description="share of clips in which another clip goes on from some frame")
    speeds: Annotated[list[Positive], Field(min_length=1)] = Field(
        default=[1], description="frames from one to the next, drawn from this list: fast motion; [1]: as it was shot"
    )


class Schedule(Block):
    """How long a dataset is trained on, and on how large patches."""

    stage1: Annotated[int, Field(ge=0)] = Field(description="iterations with L2 + lambda * L_CE")
    stage2: Annotated[int, Field(ge=0)] = Field(description="iterations with L2 alone")
    patch: Annotated[int, Field(ge=16)] = Field(description="pixels, height and width")


class TrainSpec(Block):
    """What is trained in one experiment."""

    variant: Literal["m_a", "m_b", "m_c", "m_d", "m_e", "m_f", "w_net", "ncfl_adapq", "ncfl_noq"]
    inverse_lambda: Positive | None = Field(description="1/lambda; null: no rate term in stage 1")
    sigma: Sigma | SigmaRange | None = Field(
        description="training noise, 0..255: a range to draw from, one value, or null for clean frames"
    )
    learning_rate: Fraction | None = Field(default=None, description="instead of training.learning_rate")
    iterations: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="of stage 1 and stage 2, instead of the dataset's schedule"
    )


class EvaluateSpec(Block):
    """What is measured on one dataset."""

    sigma: Annotated[list[Sigma], Field(min_length=1)] = Field(description="noise levels, 0..255; 0: clean")
    split: Literal["train", "test"] = "test"


class Experiment(Block):
    """A network, the data that train it, and what it is measured on."""

    dataset: Name = Field(description="it is trained on this one")
    test: Name | None = Field(default=None, description="Another dataset that it is measured on, for the reader.")
    train: TrainSpec
    evaluate: Annotated[dict[Name, EvaluateSpec], Field(min_length=1)]


WITHOUT_MOTION = ("ncfl_adapq", "ncfl_noq")  # the compression module alone
LearnedMethod = Literal[*LEARNED]
OfficialMethod = Literal[*(name for name, weights in OFFICIAL.items() if weights.restores)]
BaselineMethod = Literal[*BASELINES]
Size = bool | int | float | list[int]


class ComparedTrainSpec(Block):
    """How a compared method is trained: as NCFL is on the same data, but for what stands here."""

    sigma: Sigma | SigmaRange | None = Field(description="training noise, as in the other experiments")
    iterations: Positive | None = Field(description="null: as many as both stages of the dataset's schedule have")
    frames: Positive | None = Field(description="per clip, at least the method's window; null: as in `training`")
    learning_rate: Fraction | None = Field(description="at the start; null: as in `training`")
    settle_at: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="iteration from which batch normalization's statistics rest, 0: at mean 0, variance 1; null: never",
    )
    start: str | None = Field(
        default=None,
        description="a file that its network begins from; null: from the initial values that `passing` says",
    )
    passing: bool = Field(
        default=False,
        description="whether the frame passes through the network's initial values; false: those of its authors",
    )


class Compared(Block):
    """A learned method of another paper, the data that train it, and what it is measured on."""

    method: LearnedMethod
    dataset: Name = Field(description="it is trained on this one")
    test: Name | None = Field(default=None, description="Another dataset that it is measured on, for the reader.")
    network: dict[str, Size] = Field(description="sizes that differ from the published network's; {}: as published")
    train: ComparedTrainSpec
    evaluate: Annotated[dict[Name, EvaluateSpec], Field(min_length=1)]


class Official(Block):
    """A learned method with its authors' weights (`ncfl import-weights`), and what it is measured on."""

    method: OfficialMethod
    dataset: Name
    test: Name | None = None
    evaluate: Annotated[dict[Name, EvaluateSpec], Field(min_length=1)]


class Baseline(Block):
    """A method without training, and what it is measured on."""

    method: BaselineMethod
    dataset: Name
    test: Name | None = None
    evaluate: Annotated[dict[Name, EvaluateSpec], Field(min_length=1)]


class Example(Block):
    """A frame that is kept as a picture."""

    sequence: Annotated[int, Field(ge=0)] = Field(description="index in the split")
    frame: Annotated[int, Field(ge=0)]
    sigma: Sigma


Row = Annotated[list[float], Field(min_length=3, max_length=3)]


class ISP(Block):
    """How packed raw frames become sRGB, for measuring and for pictures."""

    gains: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = Field(
        description="white balance of the built-in one: red, green, blue"
    )
    matrix: Annotated[list[Row], Field(min_length=3, max_length=3)] | None = Field(
        description="camera RGB to linear sRGB of the built-in one, 3 x 3, row by row; null: none"
    )
    plugin: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = Field(
        description="`package.module:function` in place of the built-in one: float32 [h,w,4] -> [2h,2w,3], both 0..1"
    )


class Evaluation(Block):
    """Conventions of measuring."""

    max_frames: dict[Name, Positive] = Field(description="dataset: frames of a sequence at most; others: all frames")
    threads: Positive = Field(description="CPU threads of one step")
    isp: ISP = Field(description="of raw video")
    examples: dict[Name, Example] = Field(description="dataset: the frame kept for figures")


AnyExperiment = Experiment | Compared | Official | Baseline
# The blocks of experiments.
OLD_GROUPS = ("experiments_without_motion", "compared_with_motion")
GROUPS = ("experiments", "compared", "official", "baselines")


class Params(Block):
    """The whole of ``params.yaml``."""

    preset: Literal["demo", "clips", "study", "paper", "pretrain"] = Field(
        description="named in every caption and MLflow run"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    machine: Machine
    datasets: dict[Name, Dataset]
    model: Model
    motion: Motion
    training: Training
    schedules: dict[Name, Schedule]
    experiments: dict[Name, Experiment]
    compared: dict[Name, Compared]
    official: dict[Name, Official]
    baselines: dict[Name, Baseline]
    evaluation: Evaluation

    @model_validator(mode="after")
    def _references_exist(self) -> "Params":
        for name, data in self.datasets.items():
            if data.source != "clips":  # a stand-in is made in the layout of a published dataset
                _known(name, published_datasets(), f"datasets.{name} (source {data.source})")
            elif name in PAIRED:
                raise ValueError(
                    f"datasets.{name}: found source 'clips', whose videos have no degraded frames; allowed: demo, "
                    f"published (files of it that you have: `ncfl fetch --dataset {name} --from PATH`)"
                )
        for key in ("max_frames", "examples"):
            for name in getattr(self.evaluation, key):
                _known(name, self.datasets, f"evaluation.{key}")
        for group in GROUPS:
            for name, experiment in getattr(self, group).items():
                self._check_experiment(group, name, experiment)
        names = [name for group in GROUPS for name in getattr(self, group)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"experiment {name!r} stands in two groups; one name is one experiment")
        return self

    def _check_experiment(self, group: str, name: str, experiment: "AnyExperiment") -> None:
        where = f"{group}.{name}"
        _known(experiment.dataset, self.datasets, f"{where}.dataset")
        if experiment.test is not None:
            _known(experiment.test, self.datasets, f"{where}.test")
        for dataset in experiment.evaluate:
            _known(dataset, self.datasets, f"{where}.evaluate")
        if isinstance(experiment, Official | Baseline):
            return
        _known(experiment.dataset, self.schedules, f"{where}.dataset (its schedule)")

    @property
    def two_stage(self) -> dict[str, Experiment]:
        """The experiments of this project's own networks, by name."""
        return self.experiments

    @property
    def all_compared(self) -> dict[str, Compared]:
        """The experiments that train another paper's method, in one stage, by name."""
        return self.compared

    @property
    def trained(self) -> dict[str, Experiment | Compared]:
        """All experiments with a training, by name."""
        return {**self.two_stage, **self.all_compared}

    @property
    def evaluated(self) -> dict[str, "AnyExperiment"]:
        """All that is evaluated, by name."""
        return {**self.trained, **self.official, **self.baselines}

    @property
    def with_motion(self) -> set[str]:
        """The names of experiments whose networks start from the pretrained motion estimation."""
        own = {name for name, e in self.experiments.items() if e.train.variant not in WITHOUT_MOTION}
        return own | {name for name, e in self.compared.items() if LEARNED[e.method].spynet}

    def stages(self, name: str) -> int:
        """How many stages the training of an experiment has: 0 where there is none."""
        return 2 if name in self.two_stage else int(name in self.all_compared)


def _known(name: str, allowed: Any, where: str) -> None:
    if name not in allowed:
        raise ValueError(f"{where}: found {name!r}, allowed: {', '.join(allowed)}")


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a configuration.

    Raises:
        InputError: in one line, the file, the key, what was found and what is allowed (with the nearest
            valid key where one was misspelt).
    """
    return validate(load_yaml(path), path)


def validate(raw: Any, path: Path) -> Params:
    """Check a configuration that was read from ``path``."""
    if isinstance(raw, dict):  # groups of older files: empty, they say nothing
        raw = {key: value for key, value in raw.items() if key not in OLD_GROUPS or value != {}}
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error.errors(), raw, Params)}") from None


def schema() -> dict[str, Any]:
    """The JSON schema of ``params.yaml``, for editors and for readers."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Params.model_json_schema()}
