"""Data: what is brought, and the clip stores that are made of it."""

# Where files come from (data/sources.csv) and how (data/transport) does not change what they hold.
BROUGHT_BY = ("data/fetch.py", "data/sources", "data/datasets", "data/splits", "data/synthetic",
              "media", "data/bayer.py", "data/frames.py", "steps/data.py")
PREPARED_BY = (*BROUGHT_BY, "data/prepare.py", "data/store.py", "data/store_writer.py")


rule fetch:
    output:
        layout.raw("{dataset}") / "index.json",
    input:
        sources(*BROUGHT_BY),
    params:
        watched=watched("seed", "datasets.{dataset}"),
    shell:
        "ncfl fetch --dataset {wildcards.dataset}"


rule prepare:
    output:
        directory(layout.prepared("{dataset}")),
    input:
        layout.raw("{dataset}") / "index.json",
        sources(*PREPARED_BY),
    params:
        watched=watched("datasets.{dataset}"),
    shell:
        "ncfl prepare --dataset {wildcards.dataset}"
