"""A step's record finds what was changed behind its back, by whatever vouches for it: the record, or DVC."""

import hashlib
import json
from pathlib import Path

import pytest

from ncfl.common.errors import InputError
from ncfl.config.reruns import Job
from ncfl.trust import step_records
from ncfl.trust.checksums import Checksums

TABLES = Path("results/tables")
MAKER = Job("evaluate", "ncfl evaluate --experiment x", (), (Path("results/summary.json"),))
READER = Job("tables", "ncfl tables", MAKER.outputs, (TABLES,))


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLES.mkdir(parents=True)
    MAKER.outputs[0].write_text('{"psnr": 30.0}')
    (TABLES / "table1.csv").write_text("a,b\n")
    (TABLES / "table5.csv").write_text("c,d\n")
    for job in (MAKER, READER):
        step_records.write(job, {"seed": 7}, step_records.inputs_of(job, {"evaluate": MAKER, "tables": READER}))


def faults(job):
    with Checksums() as checksums:
        return [str(fault) for fault in step_records.faults(job, checksums)]


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_what_was_made_is_what_is_there():
    assert faults(MAKER) == faults(READER) == []
    assert step_records.read(READER)["inputs"] == step_records.read(MAKER)["outputs"]
    assert step_records.read(READER)["seed"] == 7


def test_a_changed_input_is_refused_by_who_would_read_it():
    MAKER.outputs[0].write_text('{"psnr": 99.0}')
    with pytest.raises(
        InputError, match=r"^results/summary\.json: changed since `ncfl evaluate` made it .* make it again"
    ):
        step_records.inputs_of(READER, {"evaluate": MAKER, "tables": READER})


def test_changed_added_and_removed_files_of_a_folder_are_named():
    (TABLES / "table1.csv").write_text("a,c\n")
    (TABLES / "table5.csv").unlink()
    (TABLES / "table6.csv").write_text("new")
    found = "\n".join(faults(READER))
    assert "table1.csv: changed since" in found
    assert "table5.csv: gone since" in found
    assert "table6.csv: not made by" in found


def test_what_an_engine_leaves_in_a_folder_is_nobodys_fault():
    (TABLES / ".snakemake_timestamp").touch()
    assert faults(READER) == []


def test_what_dvc_brought_from_elsewhere_is_known():
    MAKER.outputs[0].write_text('{"psnr": 31.0}')  # as `dvc checkout` on another branch does
    (TABLES / "table1.csv").write_text("of another branch\n")
    listed = [{"md5": md5(path), "relpath": path.name} for path in sorted(TABLES.iterdir())]
    folder = hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    Path("dvc.lock").write_text(
        f"stages:\n  a:\n    outs:\n    - {{path: results/summary.json, md5: {md5(MAKER.outputs[0])}}}\n"
        f"    - {{path: results/tables, md5: {folder}.dir}}\n"
    )
    assert faults(MAKER) == faults(READER) == []
    (TABLES / "table1.csv").write_text("and changed\n")
    assert len(faults(READER)) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"format": "ncfl-record-1", "inputs": 3, "outputs": {}}', "\0"])
def test_a_record_that_cannot_be_understood_is_none(content):
    step_records.path_of(MAKER).write_text(content)
    assert step_records.read(MAKER) is None
    with Checksums() as checksums:
        assert not step_records.is_known(MAKER, checksums)
