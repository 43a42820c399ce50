"""Data: what is brought, and the clip stores that are made of it."""


rule fetch:
    output:
        layout.raw("{dataset}") / "index.json",
        layout.about("{dataset}-fetch"),
    log:
        layout.log("{dataset}-fetch"),
    priority: 20  # a dataset that is missing is to be said before anything is trained
    params:
        sources=sources(*made_by.BROUGHT_BY),
        watched=watched("{dataset}-fetch"),
    shell:
        "ncfl fetch --dataset {wildcards.dataset} > {log} 2>&1"


rule prepare:
    input:
        layout.raw("{dataset}") / "index.json",
    output:
        directory(layout.prepared("{dataset}")),
        layout.about("{dataset}-prepare"),
    log:
        layout.log("{dataset}-prepare"),
    params:
        sources=sources(*made_by.PREPARED_BY),
        watched=watched("{dataset}-prepare"),
    shell:
        "ncfl prepare --dataset {wildcards.dataset} > {log} 2>&1"
