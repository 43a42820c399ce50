"""Motion estimation, pretrained on synthetic motion with exact flow."""


rule pretrain_flow:
    output:
        layout.SPYNET,
        layout.FLOW / "metrics.json",
        layout.FLOW / "history.csv",
    input:
        sources("data/synthetic", "models", "train", "weights", "steps/training.py"),
        STARTS,
    params:
        watched=watched("seed", "motion", "training.threads", "training.log_every"),
    threads: PARAMS.training.threads
    resources:
        gpu=GPU,
    priority: 10  # everything with motion estimation waits for it
    shell:
        "ncfl pretrain-flow"
