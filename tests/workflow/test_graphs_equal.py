"""Two engines, one graph: what Snakemake would run is what DVC would run, job by job."""

from pathlib import Path

import pytest
from helpers.graphs import dvc_jobs, snakemake_jobs

from ncfl.config.presets import names, resolve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=names(ROOT / "presets"))
def project(request, project_copy):
    return project_copy(params=resolve(request.param, folder=ROOT / "presets"))


def test_both_engines_have_the_same_jobs(project, monkeypatch):
    monkeypatch.chdir(project)
    snakemake, dvc = snakemake_jobs(project), dvc_jobs(project)
    assert len(snakemake) > 40
    assert set(snakemake) == set(dvc)
    for outputs, job in snakemake.items():
        assert job.command == dvc[outputs].command, outputs
        assert job.watched == dvc[outputs].watched, outputs
        assert job.inputs == dvc[outputs].inputs, outputs
        assert job.sources == dvc[outputs].sources, outputs
    # Snakemake looks at each input of a job again and again.
    assert sum(len(job.inputs) for job in snakemake.values()) < 40 * len(snakemake)
