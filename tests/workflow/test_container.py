"""Steps in a container by Snakemake's own means, with a stand-in for Apptainer, which few machines have.

What it proves: that each step is handed to Apptainer with the image and the checkout, and that what it makes there is
what a step without a container makes. What an image holds is the Dockerfile's business.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from helpers.engines import assert_nothing_due, edit, run

APPTAINER = """#!/usr/bin/env python3
import json, os, sys
if sys.argv[1:] == ["--version"]:
    print("apptainer version 1.3.0")
    sys.exit()
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
words = sys.argv[sys.argv.index("exec") + 1 :]
shell = words.index("bash")
os.execvp("bash", words[shell:])
"""
IN_CONTAINER = "machine:\n  container: ncfl.sif\n"
TABLE = "results/tables/table5.csv"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in, first on the path from here on, writes what it was called with."""
    program = tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text(APPTAINER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_every_step_runs_in_the_container(project: Path, calls: Path):
    edit(project, "machine:\n", IN_CONTAINER)
    assert_nothing_due(project)  # on what steps run makes nothing stale
    run("snakemake --sdm apptainer -n", project)
    before = (project / TABLE).read_bytes()
    shutil.rmtree(project / "results/tables")
    output = run("snakemake --sdm apptainer --apptainer-args=--nv", project)
    handed = [json.loads(line) for line in calls.read_text().splitlines()]
    assert handed, output
    for words in handed:
        assert words[words.index("--home") + 1] == str(project)
        assert "ncfl.sif" in words
        assert "--nv" in words
    assert any("ncfl tables" in words[-1] for words in handed)
    assert (project / TABLE).read_bytes() == before


def test_without_being_asked_for_there_is_no_container(project: Path, calls: Path):
    edit(project, "machine:\n", IN_CONTAINER)
    shutil.rmtree(project / "results/tables")
    run("snakemake", project)
    assert not calls.exists()


def test_a_machine_without_apptainer_says_so(project: Path):
    edit(project, "machine:\n", IN_CONTAINER)
    shutil.rmtree(project / "results/tables")
    assert "apptainer or singularity command has to be" in run("snakemake --sdm apptainer", project, code=1)
