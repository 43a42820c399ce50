"""Faults of the machine around a step: each costs a line, no result, and nothing is left behind."""

import ctypes
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.engines import BIN, edit

from ncfl.cli.main import main
from ncfl.evaluate import protocol

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = "results/experiments/noisy/evaluation/summary.json"


def started(command: str, root: Path, before: Callable[[], None] | None = None, **environment: str) -> subprocess.Popen:
    """A command as a user starts it."""
    return subprocess.Popen(
        command.split(),
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=before,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
    )


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit code and what it said; nobody wants to see a traceback."""
    said = process.communicate(timeout=600)[0]
    assert "Traceback" not in said, said
    return process.returncode, said


def as_a_user() -> None:
    """Rights of files hold for root too from now on: its power to pass over them is dropped for what it starts."""
    if os.geteuid() == 0:
        for power in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
            ctypes.CDLL(None).prctl(24, power, 0, 0, 0)


def small_files_alone() -> None:
    """As `ulimit -f 4`."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def hidden(root: Path) -> list[Path]:
    """Temporary files."""
    found = [path for top in ("results", "data") for path in (root / top).rglob(".*")]
    return [path for path in found if path.name != ".snakemake_timestamp"]


def test_two_of_one_step_at_once(project):
    first = started("ncfl evaluate --experiment noisy", project)
    while not (project / "results/locks/noisy-evaluate.lock").exists():
        assert first.poll() is None
        time.sleep(0.02)
    code, said = ended(started("ncfl evaluate --experiment noisy", project))
    assert code == 2
    assert re.search(rf"^ncfl: `ncfl evaluate --experiment noisy` is running here: process {first.pid}, since", said)
    assert ended(first)[0] == 0
    assert not (project / "results/locks/noisy-evaluate.lock").exists()


def test_results_that_are_read_only(project):
    before = (project / SUMMARY).read_bytes()
    folders = [path for path in (project / "results", *(project / "results").rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        for command in ("ncfl tables", "ncfl evaluate --experiment noisy"):
            code, said = ended(started(command, project, as_a_user))
            assert code == 2, command
            assert re.search(r"^ncfl: results/locks/[\w-]+\.lock: cannot be written \(Permission denied\)$", said, re.M)
        for command in ("ncfl status", "ncfl verify", "ncfl summary", "snakemake -n"):  # they only read
            assert ended(started(command, project, as_a_user))[0] == 0, command
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert (project / SUMMARY).read_bytes() == before


def test_a_limit_of_the_size_of_files(project):
    code, said = ended(started("ncfl evaluate --experiment noisy", project, small_files_alone))
    assert code == 2
    assert re.search(r"^ncfl: results/\S+: cannot be written \(File too large\)$", said, re.M)
    assert not hidden(project)
    code, said = ended(started("ncfl verify", project))
    assert code == 2
    assert "noisy-evaluate is " in said


FULL_DISK = """
mount -t tmpfs -o size=$(( $(du -sk results | cut -f1) + 4096 ))k tmpfs {copy} || exit 77
cp -a results/. {copy} && mount --bind {copy} results
rm -r results/figures
dd if=/dev/zero of=results/filler bs=4k 2>/dev/null
ncfl tables; echo "nothing: $?"
truncate -s -24k results/filler
ncfl figures; echo "step: $?"
snakemake; echo "snakemake: $?"
find results data -name '.*' ! -name .snakemake_timestamp -type f -printf 'left: %p\\n'
rm results/filler
snakemake; echo "again: $?"
ncfl verify --quiet; echo "verify: $?"
cmp results/tables/table5.csv before.csv; echo "table: $?"
"""


def test_a_disk_that_is_full(project, tmp_path):
    """A small disk of its own, seen by these commands alone, with no room left while they run."""
    (tmp_path / "disk").mkdir()
    shutil.copy(project / "results/tables/table5.csv", project / "before.csv")
    (project / "script").write_text(FULL_DISK.format(copy=tmp_path / "disk"))
    code, said = ended(started("unshare --map-root-user --mount bash script", project))
    if code == 77 or "unshare failed" in said:
        pytest.skip("nothing may be mounted here, as in most containers")
    told = dict(re.findall(r"^(\w+): (\d+)$", said, re.M))
    assert told == {"nothing": "2", "step": "2", "snakemake": "1", "again": "0", "verify": "0", "table": "0"}, said
    assert "ncfl: results/locks/tables.lock: cannot be written (No space left on device)\n" in said
    assert re.search(
        r"^ncfl: results/figures/\S+: no space left on the device that holds results/figures; ", said, re.M
    )
    assert "left: " not in said


def test_a_device_with_too_little_memory(project, monkeypatch, capsys):
    def evaluate(**_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nSee the documentation")

    monkeypatch.chdir(project)
    monkeypatch.setattr(protocol, "evaluate", evaluate)
    monkeypatch.setattr(sys, "argv", ["ncfl", "evaluate", "--experiment", "noisy"])
    with pytest.raises(SystemExit, match="1"):
        main()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("ncfl: out of memory (CUDA out of memory. Tried to allocate 20.00 GiB.); ")
    assert "machine.device: cpu in params.yaml" in last


@pytest.mark.parametrize("address", ["nobody", "hangs"])
def test_a_tracking_server_that_is_down_or_hangs_costs_a_line(project, address):
    """Where one is asked for: the run waits. The tracked step alone is short, so that it asks once, at its end."""
    edit(project, "mlflow_experiment: null", "mlflow_experiment: ncfl")
    patience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        if address == "nobody":
            server.close()
        code, said = ended(started("ncfl tables", project, MLFLOW_TRACKING_URI=uri, **patience))
    assert code == 0
    assert said.count("warning: MLflow tracking stopped (") == 1
    assert len(list((project / "results/mlflow/spool").glob("*.jsonl"))) == 1


def test_a_home_where_nothing_may_be_written(project, tmp_path):
    """`make` says where programs may keep their things instead."""
    asked = ["make", "-pn", "help", "-C", str(ROOT)]
    home = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | {"HOME": "/nowhere"}
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=home).stdout
    assert re.search(r"^XDG_CACHE_HOME = \$\(CURDIR\)/\.cache$", told, re.M)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o555)
    places = {"XDG_CACHE_HOME": str(project / ".cache"), "XDG_CONFIG_HOME": str(project / ".cache/config")}
    shutil.rmtree(project / "results/figures")
    code, said = ended(started("snakemake", project, as_a_user, HOME=str(home), **places))
    assert code == 0, said
    assert list((project / "results/figures").iterdir())
    assert "ermission denied" not in said
