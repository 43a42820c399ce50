"""Measuring: restored frames against clean ones, and complexity."""


def measured_with(wildcards):
    """The trained network or the official weights, where the method has any."""
    name = wildcards.experiment
    if name in PARAMS.official:
        return layout.weights(PARAMS.official[name].method)
    return layout.checkpoint(name, PARAMS.stages(name)) if name in PARAMS.trained else []


def measured_on(wildcards):
    """The clip stores that an experiment is measured on."""
    stores = [layout.prepared(name) for name in PARAMS.evaluated[wildcards.experiment].evaluate]
    return here(f"{wildcards.experiment}-evaluate", stores)


rule evaluate:
    input:
        measured_with,
        measured_on,
    output:
        [layout.evaluation("{experiment}") / file for file in layout.OF_EVALUATION],
        directory(layout.evaluation("{experiment}") / layout.EXAMPLES),
        layout.about("{experiment}-evaluate"),
    log:
        layout.log("{experiment}-evaluate"),
    threads: PARAMS.evaluation.threads
    resources:
        gpu=GPU,
    params:
        sources=sources(*made_by.MEASURED_BY),
        watched=watched("{experiment}-evaluate"),
    shell:
        "ncfl evaluate --experiment {wildcards.experiment} > {log} 2>&1"


rule complexity:
    output:
        layout.COMPLEXITY / "complexity.json",
        layout.about("complexity"),
    log:
        layout.log("complexity"),
    params:
        sources=sources(*made_by.COUNTED_BY),
    shell:
        "ncfl complexity > {log} 2>&1"
