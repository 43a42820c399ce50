"""Both engines for real, on a graph of the same shape with tiny networks: what one made, the other accepts."""

from pathlib import Path

import pytest
from helpers.engines import assert_nothing_due, edit, run
from helpers.graphs import due_in_snakemake, dvc_jobs, snakemake_jobs, with_all_after


def changed_in_dvc(root: Path) -> set[str]:
    """The same without a process: to start DVC takes longer than to ask it."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return set(repo.status())


@pytest.fixture
def project(project_copy, tiny_params):
    return project_copy(params=tiny_params)


@pytest.fixture
def untracked_project(project_copy, tiny_params):
    """Without MLflow, whose import is half of a tiny step's time."""
    assert "mlflow_experiment: ncfl" in tiny_params
    return project_copy(params=tiny_params.replace("mlflow_experiment: ncfl", "mlflow_experiment: null"))


REPORTED = {"tables", "figures", "report"}  # they say how the configuration differs from its preset
# What a change of one value touches by itself; what follows from it is the graph's, which both engines share.
CHANGES = [
    (
        "learning_rate: 1e-3  # of the networks",
        "learning_rate: 2e-3",
        {"train-stage1", "train-stage2", "train-compared"},
    ),
    ("learning_rate: 1e-4  # of the flow", "learning_rate: 2e-4", {"pretrain-flow"}),
    (
        "iterations: 2, frames: null, learning_rate: null}  # emvd",
        "iterations: 3, frames: null, learning_rate: null}",
        {"train-compared-emvd-s-davis"},
    ),
    (
        "{width: 4, blocks: 1, bottleneck: 1}",
        "{width: 4, blocks: 1, bottleneck: 2}",
        {"train-compared-msbdn-ntu-rain"},
    ),
    (
        "{davis: 85, set8: 85}",
        "{davis: 85, set8: 3}",
        {"evaluate-ncfl-davis", "evaluate-emvd-s-davis", "evaluate-basicvsr-davis", "evaluate-noisy"},
    ),
    ("frames: 3, max_motion: 3.0}  # rain", "frames: 4, max_motion: 3.0}", {"fetch-ntu-rain", "prepare-ntu-rain"}),
    ("threads: 1  # evaluation", "threads: 2", {"evaluate"}),
    ("workers: 0", "workers: 1", set()),
    ("max_motion: 3.0  # set8", "max_motion: 2.0", {"fetch-set8", "prepare-set8"}),
    ("evaluate: {set8: {sigma: [30]}}  # ncfl", "evaluate: {set8: {sigma: [40]}}", {"evaluate-ncfl-davis"}),
    ("seed: 7", "seed: 8", {"fetch", "pretrain-flow", "train-stage1", "train-stage2", "train-compared", "evaluate"}),
]


def stage_matches(stage: str, touched: set[str]) -> bool:
    """`evaluate` stands for all evaluations, `train-compared` for the trainings of compared methods."""
    return any(stage == name or stage.startswith(f"{name}-") for name in touched)


def test_after_snakemake_dvc_has_nothing_to_do_and_a_change_touches_the_same_in_both(project, monkeypatch):
    run("snakemake --cores all", project)
    assert_nothing_due(project)
    assert (project / "results/mlflow/mlflow.db").exists()
    monkeypatch.chdir(project)
    outputs = dvc_names(project)
    before = (project / "params.yaml").read_text()
    for old, new, touched in CHANGES:
        edit(project, old, new)
        shown = REPORTED if touched else set()  # they show all values but the machine's, which touch nothing
        expected = {stage for stage in outputs if stage_matches(stage, touched | shown)}
        assert changed_in_dvc(project) - {"snakemake-agrees"} == expected, new
        everything = with_all_after(dvc_jobs(project), {outputs[stage] for stage in expected})
        assert due_in_snakemake(project) == everything, new
        (project / "params.yaml").write_text(before)
    assert_nothing_due(project)


def test_after_dvc_snakemake_has_nothing_to_do_and_notices_a_later_change(untracked_project, monkeypatch):
    project = untracked_project
    run("dvc repro", project)
    assert not (project / "results/mlflow").exists()
    assert len(list((project / "results/runs").glob("*.json"))) == len(dvc_names(project))
    assert_nothing_due(project)
    monkeypatch.chdir(project)
    edit(project, "evaluate: {set8: {sigma: [30]}}  # ncfl", "evaluate: {set8: {sigma: [40]}}  # ncfl")
    names = {outputs: stage for stage, outputs in dvc_names(project).items()}
    due = {names[outputs] for outputs in due_in_snakemake(project)}
    assert due == {"evaluate-ncfl-davis", "tables", "figures", "report"}
    log = run("dvc repro", project)
    ran = {line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")}
    assert ran == {*due, "snakemake-agrees"}
    assert_nothing_due(project)
    run("snakemake results/tables -R tables", project)  # a named target: DVC is not told


def dvc_names(root: Path) -> dict[str, frozenset[str]]:
    """Stage name -> outputs."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {
            stage.addressing: frozenset(str(Path(out.fs_path).relative_to(root)) for out in stage.outs)
            for stage in repo.index.stages
            if stage.outs
        }


def test_the_tiny_graph_has_every_kind_of_job(project, monkeypatch):
    monkeypatch.chdir(project)
    assert set(snakemake_jobs(project)) == set(dvc_jobs(project)) == set(dvc_names(project).values())
