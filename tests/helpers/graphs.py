"""Both graphs as plain data, so that they can be compared: outputs -> (inputs, command, parameters, sources)."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import dpath  # as DVC reads a parameter

from ncfl.config.yaml12 import load_yaml
from ncfl.trust.staleness import checksum_of_sources


class Job(NamedTuple):
    inputs: frozenset[str]
    command: str
    watched: dict
    sources: str  # one checksum of the package's files that it watches


def resolved_dag(root: Path, *, all_jobs: bool) -> list:
    """The jobs of workflow/Snakefile, each with whether it is due, from the DAG that Snakemake itself resolves."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1), snakefile=root / "workflow" / "Snakefile", workdir=root
        )
        with contextlib.redirect_stdout(io.StringIO()):
            workflow.dag(dag_settings=DAGSettings(forceall=all_jobs)).summary()
        dag = workflow._workflow.dag
        return [(job, dag.needrun(job)) for job in dag.jobs if job.rule.name != "all"]


def outputs_of(job) -> frozenset[str]:
    return frozenset(str(path) for path in job.output)


def snakemake_jobs(root: Path) -> dict[frozenset[str], Job]:
    """The resolved DAG of workflow/Snakefile, without the collecting target."""
    return {
        outputs_of(job): Job(
            frozenset(map(str, job.input)),
            job.shellcmd.strip().removesuffix(f" > {job.log} 2>&1"),
            dict(getattr(job.params, "watched", {})),
            job.params.sources,
        )
        for job, _ in resolved_dag(root, all_jobs=True)
    }


def due_in_snakemake(root: Path) -> set[frozenset[str]]:
    """The jobs that Snakemake would run."""
    return {outputs_of(job) for job, due in resolved_dag(root, all_jobs=False) if due}


def with_all_after(jobs: dict[frozenset[str], Job], changed: set[frozenset[str]]) -> set[frozenset[str]]:
    """The jobs in ``changed`` and all that read, directly or not, what these write."""
    due = set(changed)
    while more := {out for out, job in jobs.items() if out not in due and any(job.inputs & o for o in due)}:
        due |= more
    return due


def dvc_jobs(root: Path) -> dict[frozenset[str], Job]:
    """The stages of dvc.yaml, without the one that tells Snakemake; folders are opened up into what jobs declare."""
    from dvc.repo import Repo

    params = load_yaml(root / "params.yaml")
    with Repo(str(root)) as repo:
        stages = [stage for stage in repo.index.stages if stage.name != "snakemake-agrees"]
        declared = {relative(out.fs_path, root) for stage in stages for out in stage.outs}
        jobs = {}
        for stage in stages:
            inputs, watched, parts = set(), {}, []
            for dependency in stage.deps:
                names = getattr(dependency, "params", None)
                path = relative(dependency.fs_path, root)
                if path.startswith("ncfl/"):
                    parts.append(path.removeprefix("ncfl/"))
                elif names is None:
                    inputs |= opened(path, declared)
                else:
                    watched |= {name: dpath.get(params, name, separator=".") for name in names}
            outputs = frozenset(relative(out.fs_path, root) for out in stage.outs)
            with contextlib.chdir(root):
                sources = checksum_of_sources(tuple(parts))
            jobs[outputs] = Job(frozenset(inputs), stage.cmd, watched, sources)
    return jobs


def opened(path: str, declared: set[str]) -> set[str]:
    """A folder of results as the outputs declared below it."""
    below = {output for output in declared if output.startswith(f"{path}/")}
    return below if below and path not in declared else {path}


def relative(path: str | Path, root: Path) -> str:
    return str(Path(path).relative_to(root))
