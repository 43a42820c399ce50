"""What people see: tables, figures, the report page. Each is a query over the experiments."""

from ncfl.report import captions


def measured(wildcards):
    """Everything that the experiments left."""
    paths = []
    for name in PARAMS.evaluated:
        paths += [
            layout.evaluation(name) / file
            for file in ("summary.json", "metrics.json", "sequences.csv", "frames.csv", "examples")
        ]
    for name in PARAMS.trained:
        stages = range(1, PARAMS.stages(name) + 1)
        paths += [layout.stage(name, n) / f for n in stages for f in ("checkpoint.pt", "metrics.json", "history.csv")]
    return paths


rule tables:
    input:
        measured,
        layout.COMPLEXITY / "complexity.json",
    output:
        report(
            directory(layout.TABLES),
            patterns=["{name}.csv"],
            category="Tables",
            labels=lambda wildcards: captions.of_table(layout.TABLES / f"{wildcards.name}.md"),
            caption="../report/tables.rst",
        ),
        layout.about("tables"),
    log:
        layout.log("tables"),
    params:
        sources=sources(*made_by.SHOWN_BY),
        watched=watched("tables"),
    shell:
        "ncfl tables > {log} 2>&1"


rule figures:
    input:
        measured,
        layout.COMPLEXITY / "complexity.json",
    output:
        report(
            directory(layout.FIGURES),
            patterns=["{name}.png"],
            category="Figures",
            labels=lambda wildcards: captions.of_figure(layout.FIGURES / f"{wildcards.name}.png"),
            caption="../report/figures.rst",
        ),
        layout.about("figures"),
    log:
        layout.log("figures"),
    params:
        sources=sources(*made_by.DRAWN_BY),
        watched=watched("figures"),
    shell:
        "ncfl figures > {log} 2>&1"


rule report:
    input:
        layout.TABLES,
        layout.FIGURES,
        measured,
        layout.COMPLEXITY / "complexity.json",
    output:
        layout.REPORT / "index.html",
        layout.about("report"),
    log:
        layout.log("report"),
    params:
        sources=sources(*made_by.SHOWN_BY),
        watched=watched("report"),
    shell:
        "ncfl report > {log} 2>&1"
