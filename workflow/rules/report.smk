"""What people see: tables, figures, the report page. Each is a query over the experiments."""

from ncfl.report import captions


def read_by(job):
    """Everything that the experiments left, and for the page what was made of it."""
    return lambda wildcards: list(JOBS[job].inputs)


rule tables:
    input:
        read_by("tables"),
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
        read_by("figures"),
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
        read_by("report"),
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
