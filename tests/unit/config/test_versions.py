"""The versions on which figures depend are those of the lock, and the graph watches them."""

import re
from pathlib import Path

import pytest

from ncfl.common.errors import InputError
from ncfl.config.graph import dvc_yaml
from ncfl.config.made_by import check_lock
from ncfl.config.params import load
from ncfl.config.yaml12 import parse_yaml

ROOT = Path(__file__).resolve().parents[3]
LOCK = (ROOT / "requirements.lock").read_text()


def test_the_graph_watches_the_versions_of_the_lock():
    versions = (ROOT / "ncfl" / "versions.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in versions} >= {"torch", "numpy", "opencv-python-headless"}
    assert set(versions) <= set(re.findall(r"^[a-z0-9-]+==[^ ;\n]+", LOCK, re.M))
    stages = parse_yaml(dvc_yaml(load(ROOT / "params.yaml")), Path("dvc.yaml"))["stages"]
    decided = {name: stage for name, stage in stages.items() if name.startswith(("prepare-", "train-", "evaluate-"))}
    assert len(decided) > 50
    assert all("ncfl/versions.txt" in stage["deps"] for stage in decided.values())


def test_a_lock_of_other_versions_is_refused(tmp_path):
    check_lock(ROOT / "requirements.lock", ROOT / "ncfl" / "versions.txt")
    lock, versions = tmp_path / "requirements.lock", tmp_path / "versions.txt"
    versions.write_text("torch==2.13.0\n")
    check_lock(lock, versions)  # an installed package has no lock
    lock.write_text("torchvision==2.13.0\ntorch==2.13.0 \\\n    --hash=sha256:ab\n")
    check_lock(lock, versions)
    for text, found in {"torch==2.14.1 \\\n": "2.14.1", "numpy==2.13.0\n": "none"}.items():
        lock.write_text(text)
        with pytest.raises(InputError, match=rf"lock: torch: found {found}, expected 2\.13\.0, .*`make lock`"):
            check_lock(lock, versions)


def test_everything_is_installed_by_its_checksum():
    pins = re.findall(r"^[a-z0-9._-]+==(?:[^\n]*\\\n)*[^\n]*", LOCK, re.M | re.I)
    assert len(pins) > 150
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []
