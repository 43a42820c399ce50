"""After a run MLflow gets the runs of its steps, and DVC is told what was made.

The former also after a failure. The latter only after a complete run, so that `dvc status` is clean and `dvc repro` has
nothing to do; after a part of the graph it would bless stale files. So only when the default target was asked for, in
full. Not when DVC itself called Snakemake (the last stage of dvc.yaml): it holds its lock then, and knows already.
"""

import os

from ncfl.trust import dvc_commit


def is_complete_run():
    """Whether this run ended with every result of the graph up to date."""
    dag = workflow.dag_settings
    return (
        not (set(dag.targets) - {"all"})
        and not dag.until
        and not dag.omit_from
        and "DVC_STAGE" not in os.environ
        and not workflow.touch
    )


def bring_runs_to_mlflow():
    """What the steps left waiting (NCFL_DEFER_MLFLOW in the Snakefile)."""
    if any((layout.MLFLOW / "spool").glob("*.jsonl")):
        shell("ncfl mlflow-sync")


onerror:
    bring_runs_to_mlflow()


onsuccess:
    bring_runs_to_mlflow()
    if is_complete_run():
        try:
            dvc_commit.tell_dvc(PARAMS)
        except InputError as error:
            say(f"ncfl: {error}")
            raise SystemExit(2)
