"""Where everything lies, relative to the project's folder: named once, for the steps and for both engines."""

from pathlib import Path

DATA = Path("data")
RESULTS = Path("results")

FLOW = RESULTS / "flow"
EXPERIMENTS = RESULTS / "experiments"
COMPLEXITY = RESULTS / "complexity"
TABLES = RESULTS / "tables"
FIGURES = RESULTS / "figures"
REPORT = RESULTS / "report"

# Outputs of steps that no other step reads: how they came to be. They travel with what they tell of.
RUNS = RESULTS / "runs"
RECORDS = RESULTS / "records"
# Kept out of the graph: what a step leaves for its own restart and for people.
RESUME = RESULTS / "resume"
LOGS = RESULTS / "logs"
MLFLOW = RESULTS / "mlflow"

SPYNET = FLOW / "spynet.pt"

OF_TRAINING = ("checkpoint.pt", "metrics.json", "history.csv")
OF_EVALUATION = ("summary.json", "metrics.json", "sequences.csv", "frames.csv")  # beside EXAMPLES, a folder
EXAMPLES = "examples"


def log(job: str) -> Path:
    """What a step of Snakemake says."""
    return LOGS / f"{job}.log"


def raw(dataset: str) -> Path:
    """What ``ncfl fetch`` brings."""
    return DATA / "raw" / dataset


def prepared(dataset: str) -> Path:
    """What ``ncfl prepare`` makes of it: a clip store."""
    return DATA / "prepared" / dataset


def weights(method: str) -> Path:
    """Imported official weights of a compared method."""
    return DATA / "weights" / f"{method}.safetensors"


def about(job: str) -> tuple[Path, Path]:
    """The records that a step leaves of itself: of its run, and of what it read and wrote."""
    return RUNS / f"{job}.json", RECORDS / f"{job}.json"


def stage(experiment: str, number: int) -> Path:
    """What stage 1 or 2 of an experiment's training leaves."""
    return EXPERIMENTS / experiment / f"stage{number}"


def checkpoint(experiment: str, stages: int) -> Path:
    """The trained network of an experiment whose training has so many stages."""
    return stage(experiment, stages) / "checkpoint.pt"


def trainings(method: str) -> list[Path]:
    """The trained networks of a compared method's experiments, named ``<method>-<dataset>``, that are there."""
    return sorted(EXPERIMENTS.glob(f"{method}-*/stage1/checkpoint.pt"))


def evaluation(experiment: str) -> Path:
    """What was measured of an experiment."""
    return EXPERIMENTS / experiment / "evaluation"
