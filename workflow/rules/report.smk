"""What people see: tables, figures, the report page. Each is a query over the experiments."""

def measured(wildcards):
    """Everything that the experiments left."""
    paths = []
    for name in PARAMS.evaluated:
        paths += [layout.evaluation(name) / file for file in ("summary.json", "sequences.csv", "frames.csv", "examples")]
    for name in PARAMS.trained:
        stages = range(1, PARAMS.stages(name) + 1)
        paths += [layout.stage(name, n) / f for n in stages for f in ("checkpoint.pt", "metrics.json", "history.csv")]
    return paths


rule tables:
    output:
        directory(layout.TABLES),
    input:
        measured,
        layout.COMPLEXITY / "complexity.json",
        sources(*graph.SHOWN_BY),
    params:
        watched=watched(*jobs.SHOWN),
    shell:
        "ncfl tables"


rule figures:
    output:
        directory(layout.FIGURES),
    input:
        measured,
        layout.COMPLEXITY / "complexity.json",
        sources(*graph.SHOWN_BY),
    params:
        watched=watched(*jobs.SHOWN),
    shell:
        "ncfl figures"


rule report:
    output:
        layout.REPORT / "index.html",
    input:
        layout.TABLES,
        layout.FIGURES,
        measured,
        layout.COMPLEXITY / "complexity.json",
        sources(*graph.SHOWN_BY),
    params:
        watched=watched(*jobs.ALL),
    shell:
        "ncfl report"
