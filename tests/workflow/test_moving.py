"""Results that move: to a clone, to a branch, through `dvc exp`, half made; no engine makes again what is valid."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from helpers.engines import assert_nothing_due, due_in_dvc, run
from helpers.graphs import due_in_snakemake
from helpers.projects import git, set_value

TABLES, SHOWN = "results/tables", {"results/tables", "results/figures", "results/report/index.html"}
DRAWN = ("tables.json", "figures.json", "report.json")
EVALUATED = "results/experiments/noisy/evaluation/summary.json"
SIGMA = "baselines.noisy.evaluate.set8.sigma"


def made(root: Path) -> dict[str, str]:
    """What must not be made again: the checksums of records of data, trainings and evaluations, times and all."""
    files = (root / "results/records").glob("*.json")
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {name: checksum for name, checksum in found.items() if name not in DRAWN}


def remade(root: Path, before: dict[str, str]) -> set[str]:
    """The records that are others than before."""
    return {name for name, checksum in made(root).items() if before[name] != checksum}


def due(root: Path, monkeypatch) -> set[str]:
    """The outputs of what Snakemake would run."""
    monkeypatch.chdir(root)
    return set().union(*due_in_snakemake(root))


def test_a_copied_project_has_nothing_to_do(project):
    assert_nothing_due(project)


def test_prepared_data_are_kept_once(project):
    arrays = list((project / "data/prepared").rglob("*.npy"))
    assert arrays
    for path in arrays:
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        assert not (project / ".dvc/cache/files/md5" / found[:2] / found[2:]).exists()


def test_pushed_results_come_to_a_fresh_clone_whole(project, tmp_path, monkeypatch):
    run(f"dvc remote add --default store {tmp_path / 'store'}", project)
    git("commit -q -a -m remote", project)
    run("dvc push", project)
    clone = tmp_path / "clone"
    git(f"clone -q {project} {clone}", tmp_path)
    run("dvc pull", clone)
    assert made(clone) == made(project)
    assert not (clone / "data/prepared").exists()

    said = run("ncfl verify", clone)
    assert "13 hold, 0 do not" in said
    run("ncfl summary", clone)
    assert "Nothing to be done" in run("snakemake -n", clone)
    assert "Nothing to be done" in run("snakemake", clone)
    assert due_in_dvc(clone) >= {"prepare-davis", "prepare-set8"}  # large: never pushed, and made again when needed
    assert "Running stage" not in run("dvc repro --allow-missing", clone)
    assert made(clone) == made(project)

    # What is stale is due, and brings back what it needs; nothing else is made.
    before = made(clone)
    set_value(clone, SIGMA, [30])
    assert due(clone, monkeypatch) >= {EVALUATED, "data/prepared/set8", *SHOWN}
    run("snakemake", clone)
    assert remade(clone, before) == {"noisy-evaluate.json", "set8-prepare.json"}
    assert "Nothing to be done" in run("snakemake", clone)
    run("dvc repro", clone)
    assert_nothing_due(clone)
    assert remade(clone, before) == {"noisy-evaluate.json", "set8-prepare.json", "davis-prepare.json"}


def test_another_branch_and_back(project, monkeypatch):
    git("checkout -q -b other", project)
    set_value(project, SIGMA, [30])
    run("snakemake", project)
    run("dvc status", project)
    git("commit -q -a -m other", project)
    records = {"other": made(project)}
    for branch in ("-", "other"):
        git(f"checkout -q {branch}", project)
        run("dvc checkout", project)
        assert_nothing_due(project)
        assert made(project) == records.setdefault(branch, made(project))
    assert len(set(map(str, records.values()))) == 2
    set_value(project, SIGMA, [50])  # what came from elsewhere is as stale as anything, once its parameters are others
    assert due(project, monkeypatch) >= {EVALUATED, *SHOWN}
    assert due_in_dvc(project) >= {"evaluate-noisy"}
    git("checkout -q params.yaml", project)
    assert_nothing_due(project)


def test_git_sees_no_run_until_dvc_is_asked(project):
    """Records of runs, with their times, are others on each machine: so would dvc.lock be in each clone."""
    lock = (project / "dvc.lock").read_bytes()
    shutil.rmtree(project / ".snakemake")
    for folder in ("results", "data/prepared", "data/raw", ".dvc/tmp", ".dvc/cache"):
        shutil.rmtree(project / folder)
    git("checkout -q .", project)
    for command in ("snakemake", "ncfl verify --quiet --tell-dvc", "snakemake", "dvc --version", "dvc remote list"):
        run(command, project)
        assert changed_files(project) == []
    table = project / TABLES / "table5.csv"
    made_by_step = table.read_bytes()
    table.write_bytes(made_by_step.replace(b",", b";", 1))
    assert "changed" in run("ncfl verify", project, code=2)
    assert "taken back from DVC's cache" in run("snakemake", project)
    assert table.read_bytes() == made_by_step
    assert changed_files(project) == []
    table.write_bytes(made_by_step.replace(b",", b";", 1))  # between the run and the asking: never blessed
    assert "tables" in due_in_dvc(project)
    assert changed_files(project) == ["dvc.lock"]
    assert (project / "dvc.lock").read_bytes() != lock
    run("dvc checkout --force results/tables", project)
    assert table.read_bytes() == made_by_step
    assert_nothing_due(project)
    assert "Running stage" not in run("dvc repro", project).replace("Running stage 'snakemake-agrees'", "")


def changed_files(root: Path) -> list[str]:
    """What `git status` names."""
    said = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    return [line[3:] for line in said.stdout.splitlines()]


def test_an_experiment_of_dvc_runs_what_its_value_changes(project):
    before = made(project)
    log = run("dvc exp run -S evaluation.max_frames.set8=80", project)
    assert "Running stage 'evaluate-noisy'" in log
    assert "Running stage 'train" not in log
    assert remade(project, before) == {"noisy-evaluate.json", "ncfl-davis-evaluate.json"}
    assert_nothing_due(project)


def test_values_on_snakemakes_command_line_are_refused(project):
    for option in ("--config seed=3", "--configfile params.yaml"):
        said = run(f"snakemake -n {option}", project, code=1)
        assert "the workflow reads params.yaml alone: `ncfl use PRESET --set KEY=VALUE`" in said
        assert "Traceback" not in said


def test_one_engine_goes_on_where_the_other_failed_or_made_a_part(project, monkeypatch):
    before = made(project)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    set_value(project, SIGMA, [40])
    set_value(project, "experiments.ncfl-davis.evaluate.set8.sigma", [40])
    set_value(project, "machine.device", "cuda")  # there is none: the evaluation of the network fails
    said = run("snakemake", project, code=1)
    assert "evaluate" in said
    set_value(project, "machine.device", "cpu")
    run("dvc repro evaluate-noisy", project)
    run(f"snakemake {TABLES}", project)
    run("dvc repro", project)
    assert_nothing_due(project)
    assert remade(project, before) == {"noisy-evaluate.json", "ncfl-davis-evaluate.json"}
