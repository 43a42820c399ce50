"""Data: what is brought, and the clip stores that are made of it."""


rule fetch:
    input:
        sources(*made_by.BROUGHT_BY),
    output:
        layout.raw("{dataset}") / "index.json",
        layout.about("{dataset}-fetch"),
    log:
        layout.log("{dataset}-fetch"),
    priority: 20  # a dataset that is missing is to be said before anything is trained
    params:
        watched=watched("{dataset}-fetch"),
    shell:
        "ncfl fetch --dataset {wildcards.dataset} > {log} 2>&1"


rule prepare:
    input:
        layout.raw("{dataset}") / "index.json",
        sources(*made_by.PREPARED_BY),
    output:
        directory(layout.prepared("{dataset}")),
        layout.about("{dataset}-prepare"),
    log:
        layout.log("{dataset}-prepare"),
    params:
        watched=watched("{dataset}-prepare"),
    shell:
        "ncfl prepare --dataset {wildcards.dataset} > {log} 2>&1"
