"""Data: what is brought, and the clip stores that are made of it."""

rule fetch:
    output:
        layout.raw("{dataset}") / "index.json",
    input:
        sources(*graph.BROUGHT_BY),
    params:
        watched=watched("seed", "datasets.{dataset}"),
    priority: 20  # a dataset that is missing is to be said before anything is trained
    shell:
        "ncfl fetch --dataset {wildcards.dataset}"


rule prepare:
    output:
        directory(layout.prepared("{dataset}")),
    input:
        layout.raw("{dataset}") / "index.json",
        sources(*graph.PREPARED_BY),
    params:
        watched=watched("datasets.{dataset}"),
    shell:
        "ncfl prepare --dataset {wildcards.dataset}"
