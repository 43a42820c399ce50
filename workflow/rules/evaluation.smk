"""Measuring: restored frames against clean ones, and complexity."""

MEASURED_BY = ("data/store.py", "data/degradations.py", "data/bayer.py", "data/isp.py", "evaluate", "methods", "models",
               "weights", "steps/evaluation.py", "steps/importing.py")


def measured_with(wildcards):
    """The trained network or the official weights, where the method has any."""
    name = wildcards.experiment
    if name in PARAMS.official:
        return layout.weights(PARAMS.official[name].method)
    return layout.checkpoint(name, PARAMS.stages(name)) if name in PARAMS.trained else []


def measured_on(wildcards):
    """The clip stores that an experiment may be evaluated on."""
    experiment = PARAMS.evaluated[wildcards.experiment]
    return [layout.prepared(name) for name in dict.fromkeys((experiment.dataset, experiment.test))]


rule evaluate:
    output:
        layout.evaluation("{experiment}") / "summary.json",
        layout.evaluation("{experiment}") / "sequences.csv",
        layout.evaluation("{experiment}") / "frames.csv",
        directory(layout.evaluation("{experiment}") / "examples"),
    input:
        measured_with,
        measured_on,
        sources(*MEASURED_BY),
    params:
        watched=watched("seed", "evaluation", "{group}.{experiment}.evaluate"),
    threads: PARAMS.evaluation.threads
    resources:
        gpu=GPU,
    shell:
        "ncfl evaluate --experiment {wildcards.experiment}"


rule complexity:
    output:
        layout.COMPLEXITY / "complexity.json",
    input:
        sources("models", "methods", "weights", "profile/complexity.py", "report", "steps/complexity.py"),
    shell:
        "ncfl complexity"
