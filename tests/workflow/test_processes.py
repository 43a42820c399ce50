"""One network trained by two processes, as a user starts them: one run, and the curve of a single process."""

import csv
import shutil
from pathlib import Path

import pytest
from helpers.engines import edit, run

STAGE = "results/experiments/ncfl-davis/stage1"
TRAIN = "ncfl train --experiment ncfl-davis --stage 1"


def curve(root: Path) -> list[dict[str, float]]:
    with (root / STAGE / "history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("command", [f"torchrun --standalone --nproc-per-node 2 --no-python {TRAIN}", TRAIN])
def test_two_processes_leave_one_run(finished, tmp_path, command):
    root = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    shutil.rmtree(root / STAGE)
    if command == TRAIN:
        edit(root, "workers: 0", "workers: 0\n  processes: 2")
    said = run(command, root)
    assert said.count("ncfl-davis train-stage1: done") == 1
    for found, expected in zip(curve(root), curve(finished), strict=True):
        assert found == pytest.approx(expected, rel=1e-4)
    assert "ncfl-davis" in run("ncfl status", root)
