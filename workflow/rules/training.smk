"""The two stages of every training, and the one stage of the methods compared with."""

NEVER = "(?!)"  # matches no name: a list of experiments may be empty


def inputs_of_stage(number):
    """What a stage of an experiment reads beside the sources: its data, and the weights that it begins from."""

    def inputs(wildcards):
        job = f"{wildcards.experiment}-train-stage{number}"
        return here(job, JOBS[job].inputs)

    return inputs


rule train_stage1:
    input:
        inputs_of_stage(1),
    output:
        [layout.stage("{experiment}", 1) / file for file in layout.OF_TRAINING],
        layout.about("{experiment}-train-stage1"),
    log:
        layout.log("{experiment}-train-stage1"),
    wildcard_constraints:
        experiment="|".join(PARAMS.two_stage) or NEVER,
    threads: PARAMS.training.threads * PARAMS.machine.processes
    resources:
        gpu=GPU * PARAMS.machine.processes,
    params:
        sources=sources(*made_by.TRAINED_BY),
        watched=watched("{experiment}-train-stage1"),
    shell:
        "ncfl train --experiment {wildcards.experiment} --stage 1 > {log} 2>&1"


rule train_compared:
    input:
        inputs_of_stage(1),
    output:
        [layout.stage("{experiment}", 1) / file for file in layout.OF_TRAINING],
        layout.about("{experiment}-train-stage1"),
    log:
        layout.log("{experiment}-train-stage1"),
    wildcard_constraints:
        experiment="|".join(PARAMS.all_compared) or NEVER,
    threads: PARAMS.training.threads * PARAMS.machine.processes
    resources:
        gpu=GPU * PARAMS.machine.processes,
    params:
        sources=sources(*made_by.COMPARED_BY),
        watched=watched("{experiment}-train-stage1"),
    shell:
        "ncfl train --experiment {wildcards.experiment} --stage 1 > {log} 2>&1"


rule train_stage2:
    input:
        inputs_of_stage(2),
    output:
        [layout.stage("{experiment}", 2) / file for file in layout.OF_TRAINING],
        layout.about("{experiment}-train-stage2"),
    log:
        layout.log("{experiment}-train-stage2"),
    threads: PARAMS.training.threads * PARAMS.machine.processes
    resources:
        gpu=GPU * PARAMS.machine.processes,
    params:
        sources=sources(*made_by.TRAINED_BY),
        watched=watched("{experiment}-train-stage2"),
    shell:
        "ncfl train --experiment {wildcards.experiment} --stage 2 > {log} 2>&1"
