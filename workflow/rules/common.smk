"""What all rules share: the configuration, and what a job watches."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from ncfl.config import graph, reruns, layout, made_by
from ncfl.common.environment import refuse_a_copied_one
from ncfl.common.errors import InputError
from ncfl.config.params import load
from ncfl.config.yaml12 import load_yaml
from ncfl.trust import staleness

try:
    refuse_a_copied_one()
    if config:
        raise InputError(
            f"--config, --configfile: found {', '.join(map(str, config))}; the workflow reads params.yaml alone: "
            "`ncfl use PRESET --set KEY=VALUE` changes it there"
        )
    made_by.check_lock()
    PARAMS = load(Path("params.yaml"))
    if "DVC_STAGE" in os.environ:  # DVC ran the stages that dvc.yaml names: all of them?
        graph.check(PARAMS)
except InputError as error:
    raise WorkflowError(str(error))
JOBS = reruns.jobs(PARAMS)
WRITTEN = load_yaml(Path("params.yaml"))  # as the file has it: what a job watches is compared by value

# One training at a time on a GPU, unless `--resources gpu=N` says that there are more.
GPU = int(PARAMS.machine.device == "cuda" or (PARAMS.machine.device == "auto" and Path("/dev/nvidia0").exists()))


wildcard_constraints:
    dataset="|".join(PARAMS.datasets),
    experiment="|".join(PARAMS.evaluated),


def watched(job):
    """The values of the keys of params.yaml that a job depends on: a change of one reruns it, of others not."""

    def values(wildcards):
        return {key: reruns.value_at(WRITTEN, key) for key in JOBS[job.format(**wildcards)].watched}

    return values


def sources(*parts):
    """One checksum of the package's files that a job runs: an edit there makes its results stale, whatever its time.

    As a parameter: Snakemake looks at each input of a job again and again, and these would be 14,000 in the demo.
    """
    return staleness.checksum_of_sources(parts)
