"""``params.yaml``, typed and closed: a key that nobody reads is an error, and so is a value of the wrong type.

Every block below is one block of the file. Which keys a step depends on stands in the rules of both workflow
engines; a test keeps the two equal.
"""

import functools
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ncfl.common.errors import InputError
from ncfl.config.data import Dataset
from ncfl.config.evaluation import EvaluateSpec, Evaluation
from ncfl.config.explain import explain
from ncfl.config.seeds import Repetition, Seed, Seeds, repetitions
from ncfl.config.training import ComparedTrainSpec, Model, Motion, Schedule, Training, TrainSpec
from ncfl.config.values import Block, Fraction, Name
from ncfl.config.yaml12 import load_yaml
from ncfl.data.transport.source_table import published_datasets
from ncfl.methods import BASELINES, LEARNED, OFFICIAL

# Published datasets that bring their degraded frames along.
PAIRED = ("crvd", "rainsynlight25", "rainsyncomplex25", "rainsynall100", "ntu-rain", "revide")
RAW = ("crvd",)  # packed raw frames, which evaluation develops


class Machine(Block):
    """What the steps run on. Not watched by the engines: another machine does not make results stale."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        description="The device that steps run on; auto takes a GPU if there is one."
    )
    workers: Annotated[int, Field(ge=0)] = Field(
        description="The number of threads that prepare batches ahead; with 0 the training loop prepares them itself."
    )
    compile: bool = Field(
        description="Whether torch.compile is used: it takes minutes at the start and is faster on a GPU."
    )
    channels_last: bool = Field(description="Whether feature maps are stored with their channels last.")
    processes: Annotated[int, Field(ge=1)] = Field(
        default=1,
        description="The number of processes that train one network together on this machine, each with an equal share "
        "of every batch.",
    )
    checkpoint_seconds: Fraction = Field(description="Seconds between two resume points of a training.")
    mlflow_experiment: str | None = Field(
        description="The name of the experiment in MLflow; with null, runs are kept as JSON files only."
    )
    container: str | None = Field(
        default=None,
        description="The image, a file or a URL, that every step runs in under `snakemake --sdm apptainer`.",
    )


class Experiment(Block):
    """A network, the data that train it, and what it is measured on."""

    dataset: Name = Field(description="The dataset that it is trained on.")
    test: Name | None = Field(
        default=None, description="Another dataset that it is measured on; it is there for readers only."
    )
    seeds: Seeds | None = Field(
        default=None,
        description="The seeds of its trainings, one for each: tables print mean and spread. null takes `seed`.",
    )
    train: TrainSpec
    evaluate: Annotated[dict[Name, EvaluateSpec], Field(min_length=1)]


WITHOUT_MOTION = ("ncfl_adapq", "ncfl_noq")  # the compression module alone
LearnedMethod = Literal[*LEARNED]
OfficialMethod = Literal[*(name for name, weights in OFFICIAL.items() if weights.restores)]
BaselineMethod = Literal[*BASELINES]
Size = bool | int | float | list[int]


class Compared(Block):
    """A learned method of another paper, the data that train it, and what it is measured on."""

    method: LearnedMethod
    dataset: Name = Field(description="The dataset that it is trained on.")
    test: Name | None = Field(
        default=None, description="Another dataset that it is measured on; it is there for readers only."
    )
    network: dict[str, Size] = Field(description="The sizes that differ from those of the published network.")
    seeds: Seeds | None = Field(
        default=None,
        description="The seeds of its trainings, one for each: tables print mean and spread. null takes `seed`.",
    )
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


AnyExperiment = Experiment | Compared | Official | Baseline
# The blocks of experiments.
OLD_GROUPS = ("experiments_without_motion", "compared_with_motion")
GROUPS = ("experiments", "compared", "official", "baselines")


class Params(Block):
    """The whole of ``params.yaml``."""

    preset: Literal["demo", "clips", "study", "paper", "pretrain"] = Field(
        description="The name of the preset, which every caption and MLflow run shows."
    )
    seed: Seed
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
                    f"datasets.{name}: expected source demo or published (files of it that you have: `ncfl fetch "
                    f"--dataset {name} --from PATH`), got 'clips', whose videos have no degraded frames"
                )
        for key in ("max_frames", "examples"):
            for name in getattr(self.evaluation, key):
                _known(name, self.datasets, f"evaluation.{key}")
        for group in GROUPS:
            for name, experiment in getattr(self, group).items():
                self._check_experiment(group, name, experiment)
        entries = Counter(name for group in GROUPS for name in getattr(self, group))
        for name, count in entries.items():
            if count > 1:
                raise ValueError(
                    f"experiment {name!r}: expected it in one group, got it in several; rename one of them"
                )
        for group in GROUPS:
            for name, found in repetitions(group, getattr(self, group)):
                if found.entry != name and name in entries:
                    where = f"{group}.{found.entry}.seeds"
                    raise ValueError(f"{where}: expected no other experiment called {name!r}, got one; rename it")
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

    @functools.cached_property
    def repetitions(self) -> dict[str, Repetition]:
        """Whose repetition each experiment is, by name: there is one for every seed."""
        return {name: found for group in GROUPS for name, found in repetitions(group, getattr(self, group))}

    def _of(self, group: str) -> dict[str, Any]:
        entries = getattr(self, group)
        return {name: entries[found.entry] for name, found in repetitions(group, entries)}

    @functools.cached_property
    def two_stage(self) -> dict[str, Experiment]:
        """The experiments of this project's own networks, by name."""
        return self._of("experiments")

    @functools.cached_property
    def all_compared(self) -> dict[str, Compared]:
        """The experiments that train another paper's method, in one stage, by name."""
        return self._of("compared")

    @functools.cached_property
    def trained(self) -> dict[str, Experiment | Compared]:
        """All experiments with a training, by name."""
        return {**self.two_stage, **self.all_compared}

    @functools.cached_property
    def evaluated(self) -> dict[str, "AnyExperiment"]:
        """All that is evaluated, by name."""
        return {**self.trained, **self.official, **self.baselines}

    @functools.cached_property
    def with_motion(self) -> set[str]:
        """The names of experiments whose networks start from the pretrained motion estimation."""
        own = {name for name, e in self.two_stage.items() if e.train.variant not in WITHOUT_MOTION}
        return own | {name for name, e in self.all_compared.items() if LEARNED[e.method].spynet}

    def stages(self, name: str) -> int:
        """How many stages the training of an experiment has: 0 where there is none."""
        return 2 if name in self.two_stage else int(name in self.all_compared)

    def seed_of(self, name: str) -> int:
        """The seed of an experiment's training: its own where it names seeds, else that of everything."""
        place = self.repetitions[name].place
        return self.seed if place is None else self.trained[name].seeds[place]


def _known(name: str, allowed: Any, where: str) -> None:
    if name not in allowed:
        raise ValueError(f"{where}: expected one of {', '.join(allowed)}, got {name!r}")


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
