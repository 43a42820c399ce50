"""The two stages of every training, and the one stage of the methods compared with."""

OF_EVERY_TRAINING = ("seed", "training", "schedules.{dataset}", "{group}.{experiment}.train")
OF_TRAINING = (*OF_EVERY_TRAINING, "model")
OF_COMPARED = (*OF_EVERY_TRAINING, "{group}.{experiment}.method", "{group}.{experiment}.network")

TRAINED_BY = ("data/store.py", "data/sampler.py", "data/degradations.py", "data/bayer.py", "models", "train", "weights",
              "steps/training.py")
NEVER = "(?!)"  # matches no name: a list of experiments may be empty


def start_of(wildcards):
    """The pretrained motion estimation, for the networks that have one."""
    has_motion = {**PARAMS.experiments, **PARAMS.compared_with_motion}
    return layout.SPYNET if wildcards.experiment in has_motion else []


rule train_stage1:
    output:
        layout.stage("{experiment}", 1) / "checkpoint.pt",
        layout.stage("{experiment}", 1) / "metrics.json",
        layout.stage("{experiment}", 1) / "history.csv",
    input:
        lambda w: layout.prepared(dataset_of(w)),
        start_of,
        STARTS,
        sources(*TRAINED_BY),
    params:
        watched=watched(*OF_TRAINING),
    wildcard_constraints:
        experiment="|".join(PARAMS.two_stage) or NEVER,
    threads: PARAMS.training.threads
    resources:
        gpu=GPU,
    shell:
        "ncfl train --experiment {wildcards.experiment} --stage 1"


rule train_compared:
    output:
        layout.stage("{experiment}", 1) / "checkpoint.pt",
        layout.stage("{experiment}", 1) / "metrics.json",
        layout.stage("{experiment}", 1) / "history.csv",
    input:
        lambda w: layout.prepared(dataset_of(w)),
        start_of,
        sources(*TRAINED_BY, "methods", "steps/comparing.py"),
    params:
        watched=watched(*OF_COMPARED),
    wildcard_constraints:
        experiment="|".join(PARAMS.all_compared) or NEVER,
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
