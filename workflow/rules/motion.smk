"""Motion estimation, pretrained on synthetic motion with exact flow."""


rule pretrain_flow:
    input:
        JOBS["pretrain-flow"].inputs if "pretrain-flow" in JOBS else [],
    output:
        layout.SPYNET,
        layout.FLOW / "metrics.json",
        layout.FLOW / "history.csv",
        layout.about("pretrain-flow"),
    log:
        layout.log("pretrain-flow"),
    priority: 10  # everything with motion estimation waits for it
    threads: PARAMS.training.threads
    resources:
        gpu=GPU,
    params:
        sources=sources(*made_by.FLOW_BY),
        watched=watched("pretrain-flow"),
    shell:
        "ncfl pretrain-flow > {log} 2>&1"
