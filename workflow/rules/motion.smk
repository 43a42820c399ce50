"""Motion estimation, pretrained on synthetic motion with exact flow."""


rule pretrain_flow:
    output:
        layout.SPYNET,
        layout.FLOW / "metrics.json",
        layout.FLOW / "history.csv",
    input:
        sources(*graph.FLOW_BY),
        JOBS["pretrain-flow"].inputs if "pretrain-flow" in JOBS else [],
    params:
        watched=watched(*jobs.OF_FLOW),
    threads: PARAMS.training.threads
    resources:
        gpu=GPU,
    priority: 10  # everything with motion estimation waits for it
    shell:
        "ncfl pretrain-flow"
