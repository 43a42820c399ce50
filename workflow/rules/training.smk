"""The two stages of every training."""

OF_TRAINING = (
    "seed",
    "model",
    "training",
    "schedules.{dataset}",
    "{group}.{experiment}.train",
)

TRAINED_BY = ("data/store.py", "data/sampler.py", "data/degradations.py", "data/bayer.py", "models", "train",
              "steps/training.py")


def start_of(wildcards):
    """The pretrained motion estimation, for the networks that have one."""
    return layout.SPYNET if wildcards.experiment in PARAMS.experiments else []


rule train_stage1:
    output:
        layout.stage("{experiment}", 1) / "checkpoint.pt",
        layout.stage("{experiment}", 1) / "metrics.json",
        layout.stage("{experiment}", 1) / "history.csv",
    input:
        lambda w: layout.prepared(dataset_of(w)),
        start_of,
        sources(*TRAINED_BY),
    params:
        watched=watched(*OF_TRAINING),
    threads: PARAMS.training.threads
    resources:
        gpu=GPU,
    shell:
        "ncfl train --experiment {wildcards.experiment} --stage 1"


rule train_stage2:
    output:
        layout.stage("{experiment}", 2) / "checkpoint.pt",
        layout.stage("{experiment}", 2) / "metrics.json",
        layout.stage("{experiment}", 2) / "history.csv",
    input:
        lambda w: layout.prepared(dataset_of(w)),
        layout.stage("{experiment}", 1) / "checkpoint.pt",
        sources(*TRAINED_BY),
    params:
        watched=watched(*OF_TRAINING),
    threads: PARAMS.training.threads
    resources:
        gpu=GPU,
    shell:
        "ncfl train --experiment {wildcards.experiment} --stage 2"
