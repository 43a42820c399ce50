"""Data: what is brought, and the clip stores that are made of it."""


rule fetch:
    output:
        layout.raw("{dataset}") / "index.json",
    input:
        sources("data", "steps/data.py"),
    params:
        watched=watched("datasets.{dataset}"),
    shell:
        "ncfl fetch --dataset {wildcards.dataset}"


rule prepare:
    output:
        directory(layout.prepared("{dataset}")),
    input:
        layout.raw("{dataset}") / "index.json",
        sources("data", "steps/data.py"),
    params:
        watched=watched("seed", "datasets.{dataset}"),
    shell:
        "ncfl prepare --dataset {wildcards.dataset}"
